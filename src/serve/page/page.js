// The page: takes an article, sends it, and has its English shown beside it while it comes (`reading.js`).

import { $, make } from "./elements.js";
import { clear, copy, download, end, fail, indexOf, jump, light, link, sentences, show, step } from "./reading.js";
import { Refusal, ask, askFile } from "./stream.js";
import { count, quoted, reasons } from "./words.js";

// ---- The article that goes in

/** The format that a file's extension tells, as the server has written it beside each. */
const formatOf = (extension) =>
  [...$("format").options].find(({ dataset }) => dataset.extensions.split(" ").includes(extension))?.value;
/** The extensions of documents, which the page does not show. */
const documents = $("file").dataset.documents.split(" ");
/** The name of the file the article came from, without its extension. */
let fileName = "";

async function openFile(files) {
  const [file] = files;
  const [, stem, extension] = /^(.*?)(?:\.([^.]*))?$/s.exec(file.name);
  const format = formatOf(extension?.toLowerCase());
  try {
    if (files.length > 1) throw new Refusal("these are several files", "open one article at a time");
    if (documents.includes(`.${extension?.toLowerCase()}`)) return await translateFile(file);
    if (!format) throw new Refusal(`\`${file.name}\` cannot be read`, `open ${$("file").dataset.usual}`);
    $("article").value = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    $("format").value = format;
    fileName = stem;
    $("opened").textContent = file.name;
    refuse(null);
  } catch (error) {
    const unread = new Refusal(`\`${file.name}\` is not text in UTF-8`, "save it as UTF-8 and open it again");
    compose(error instanceof Refusal ? error : unread);
  }
  countWords();
}

/** Has a document translated, whose text the page does not show, and gives it back as a file. */
async function translateFile(file) {
  const form = new FormData();
  const key = $("key").value.trim();
  const fields = { file, source: $("source").value, target: "en", ...(key && { api_key: key }) };
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  running?.abort();
  const { signal } = (running = new AbortController());
  refuse(null);
  try {
    $("opened").textContent = `${file.name} is being translated…`;
    const { path, warnings } = await askFile(form, signal);
    // Before the first dot is what the server finds it by.
    const link = make("a", { href: path, download: "" }, path.slice(path.indexOf(".") + 1));
    $("opened").replaceChildren(link, ...warnings.map((warning) => ` · ${quoted(warning)}`));
    link.click();
  } catch (error) {
    $("opened").textContent = "";
    if (!signal.aborted) throw error;
  }
}

function countWords() {
  const words = $("article").value.trim().split(/\s+/).filter(Boolean).length;
  $("count").textContent = words ? count(words, "word") : "";
}

/** Says below the article why nothing comes of it; null takes that away. */
function refuse(error) {
  $("refused").replaceChildren(...(error ? reasons(error) : []));
  $("refused").hidden = !error;
}

/** The languages of the server in place of those the page came with. */
async function listLanguages() {
  const languages = await fetch("languages").then((response) => (response.ok ? response.json() : []));
  const sources = languages.filter(({ code, targets }) => code !== "en" && (!targets || targets.includes("en")));
  if (!sources.length) return;
  const option = ({ code, name }) => make("option", { value: code, defaultSelected: code === "nl" }, name);
  $("source").replaceChildren($("source").options[0], ...sources.map(option));
}

/** Offers the words that belong together where the server's model can say which do. */
async function offerWords() {
  const settings = await fetch("frontend/settings").then((response) => (response.ok ? response.json() : {}));
  $("words-field").hidden = !settings.alignment;
}

// ---- The way there and back

/** What ends the request that is under way. */
let running = null;

function wanted() {
  const key = $("key").value.trim();
  return {
    q: $("article").value,
    source: $("source").value,
    target: "en",
    format: $("format").value,
    summarize: $("length").value !== "",
    ...($("length").value && { summary_length: $("length").value }),
    renderings: ["text", "markdown", "html"],
    ...(!$("words-field").hidden && $("words").checked && { alignment: true }),
    ...(key && { api_key: key }),
  };
}

async function translate() {
  const request = wanted();
  refuse(null);
  clear(request);
  view("reading");
  $("state").focus();
  const { signal } = (running = new AbortController());
  try {
    await ask(request, signal, (name, data) => show(name, data, request));
  } catch (error) {
    if (!sentences.length) compose(signal.aborted ? null : error);
    else if (signal.aborted) end("Stopped");
    else fail(error);
  }
}

/** Which of the two halves of the page is seen. */
function view(name) {
  $("composer").hidden = name !== "composer";
  $("reading").hidden = name !== "reading";
  scrollTo(0, 0);
}

/** Back to the article, perhaps with the reason why nothing came of it. */
function compose(error) {
  running?.abort();
  view("composer");
  refuse(error);
  const locked = [401, 403].includes(error?.status);
  if (locked) $("key-field").hidden = false;
  $(locked ? "key" : "article").focus();
}

// ---- What a reader does

function composing() {
  $("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    translate();
  });
  $("composer").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("composer").requestSubmit();
  });
  $("article").addEventListener("input", () => {
    if (!$("article").value) fileName = $("opened").textContent = "";
    countWords();
  });
  $("open").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", async () => {
    if ($("file").files.length) await openFile([...$("file").files]);
    $("file").value = "";
  });
}

function dropping() {
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      const outside = name === "dragleave" && !event.relatedTarget;
      document.body.classList.toggle("dropping", name !== "drop" && !outside);
      if (name !== "drop") return;
      compose(null);
      openFile([...event.dataTransfer.files]);
    });
  }
}

function reading() {
  $("stop").addEventListener("click", () => running.abort());
  $("back").addEventListener("click", () => compose(null));
  $("copy").addEventListener("click", copy);
  $("download").addEventListener("click", () => download(fileName));
  $("checks-list").addEventListener("click", jump);
  $("pairs").addEventListener("keydown", step);
}

function lighting() {
  document.addEventListener("pointerover", ({ target }) => {
    // The explanation stays while it is read or copied from.
    if (!$("explanation").contains(target)) light({ hovered: indexOf(target) });
    link(target);
  });
  document.addEventListener("focusin", ({ target }) => light({ focused: indexOf(target), hovered: null }));
  document.addEventListener("focusout", () => light({ focused: null }));
  document.addEventListener("keydown", ({ key }) => {
    if (key === "Escape") light({ hovered: null, focused: null });
  });
  // The explanation stays beside its sentence when the page grows or is made narrower.
  new ResizeObserver(() => light({})).observe($("reading"));
}

composing();
dropping();
reading();
lighting();
countWords();
listLanguages().catch(() => {});
offerWords().catch(() => {});
