// The page: sends an article, and shows its English beside it while it comes.
// Invariant: what stands in an article, or in an answer, becomes text of the page and never markup; and what is
// not complete never looks as if it were.

const $ = (id) => document.getElementById(id);

/** A new element; strings among its children become text. */
function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

// ---- The stream of an answer

/** Server-sent events in a body. An event that was cut off by the end is none. */
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let name = "";
  let data = [];
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    // A CR that ends a chunk may be half of a CRLF.
    const lines = (rest + chunk.value).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      const [, field, value] = /^([^:]*)(?:: ?)?(.*)$/s.exec(line);
      if (field === "event") name = value;
      if (field === "data") data.push(value);
      if (line !== "") continue;
      if (data.length) yield { name: name || "message", data: data.join("\n") };
      name = "";
      data = [];
    }
  }
}

/** What went wrong, in words for a reader. */
class Refusal extends Error {
  constructor(message, hint, status) {
    super(message);
    Object.assign(this, { hint, status });
  }
}

async function refusal(response) {
  const said = await response.json().catch(() => ({}));
  const wait = Number(response.headers.get("Retry-After"));
  const hint = [said.hint, wait > 0 && `try again in ${wait} ${wait === 1 ? "second" : "seconds"}`];
  const message = said.error ?? `the server answered ${response.status}`;
  return new Refusal(message, hint.filter(Boolean).join("; "), response.status);
}

/** Asks for a digest, and hands on each event as it comes. */
async function ask(request, signal, take) {
  const headers = { "Content-Type": "application/json", Accept: "text/event-stream" };
  const unreachable = () => {
    signal.throwIfAborted();
    throw new Refusal("the server cannot be reached", "is `kortom serve` still running?");
  };
  const sent = { method: "POST", headers, body: JSON.stringify(request), signal };
  const response = await fetch("digest", sent).catch(unreachable);
  if (!response.ok) throw await refusal(response);
  const cut = () => {
    signal.throwIfAborted();
    throw new Refusal("the connection broke off before the end", "what is here is not all; translate it again");
  };
  const stream = events(response.body);
  for (let next = await stream.next().catch(cut); !next.done; next = await stream.next().catch(cut)) {
    const data = JSON.parse(next.value.data);
    if (next.value.name === "error") throw new Refusal(data.error, data.hint);
    take(next.value.name, data);
    if (next.value.name === "done") return;
  }
  cut();
}

// ---- Words

const FLAGS = {
  truncated: "Cut short",
  number: "Number",
  date: "Date or time",
  name: "Name",
  quote: "Quotation",
  length: "Length",
  repetition: "Repetition",
  untranslated: "Not translated",
  "low-score": "Unsure",
  glossary: "Required term",
  "unsupported-number": "Number",
  "unsupported-name": "Name",
};

const METHODS = {
  extractive: "Sentences of the article itself.",
  abstractive: "Written by a model, which can be wrong where the article is right.",
};
const WRONG_LANGUAGE = "A translation from the wrong language is worthless, however well it reads.";
const DEMONSTRATION =
  "The small built-in model translated this: a demonstration, with wrong words in nearly every paragraph. " +
  "Do not rely on it.";

/** Text with quotation marks for its backticks. */
function quoted(text) {
  return text.replace(/`([^`]*)`/g, "“$1”");
}

/** What was found about a sentence or a summary, each in words. */
function findings({ flags, notes }) {
  const found = notes?.length ? notes : (flags ?? []).map((flag) => ({ flag }));
  return found.map(({ flag, reason }) => (FLAGS[flag] ?? flag) + (reason ? `: ${quoted(reason)}` : ""));
}

const count = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

/** A language's name, as the server's list or else the browser has it. */
function language(code) {
  const listed = [...$("source").options].find((option) => option.value === code && code !== "auto");
  try {
    return listed?.text ?? new Intl.DisplayNames(["en"], { type: "language" }).of(code);
  } catch {
    return code;
  }
}

// ---- The article that goes in

const FORMATS = { txt: "text", md: "markdown", markdown: "markdown", html: "html", htm: "html", srt: "srt" };
/** The name of the file the article came from, without its extension. */
let fileName = "";

async function openFile(files) {
  const [file] = files;
  const [, stem, extension] = /^(.*?)(?:\.([^.]*))?$/s.exec(file.name);
  const format = FORMATS[extension?.toLowerCase()];
  try {
    if (files.length > 1) throw new Refusal("these are several files", "open one article at a time");
    if (!format) throw new Refusal(`\`${file.name}\` cannot be read`, "open .txt, .md, .html or .srt");
    $("article").value = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    $("format").value = format;
    fileName = stem;
    $("opened").textContent = file.name;
    refuse(null);
  } catch (error) {
    const unread = new Refusal(`\`${file.name}\` is not text in UTF-8`, "save it as UTF-8 and open it again");
    refuse(error instanceof Refusal ? error : unread);
  }
  countWords();
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

function reasons(error) {
  const { message, hint } = error instanceof Refusal ? error : new Refusal("the answer cannot be shown", String(error));
  return [message, hint].filter(Boolean).map((text) => make("p", {}, quoted(text)));
}

/** The languages of the server in place of those the page came with. */
async function listLanguages() {
  const languages = await fetch("languages").then((response) => (response.ok ? response.json() : []));
  const sources = languages.filter(({ code, targets }) => code !== "en" && (!targets || targets.includes("en")));
  if (!sources.length) return;
  const option = ({ code, name }) => make("option", { value: code, defaultSelected: code === "nl" }, name);
  $("source").replaceChildren($("source").options[0], ...sources.map(option));
}

// ---- Reading

/** One entry for each sentence: its two places on the page, and what came for it. */
let sentences = [];
/** What the server made of the article for taking along, when it is done. */
let renderings = null;
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
  const take = { start, segment: fill, summary: summarize, done: finish };
  try {
    await ask(request, signal, (name, data) => take[name]?.(data, request));
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

function clear(request) {
  sentences = [];
  renderings = null;
  for (const id of ["notices", "pairs", "checks-list"]) $(id).replaceChildren();
  for (const id of ["facts", "taken", "source-title", "checks-none", "announced"]) $(id).textContent = "";
  $("summary").hidden = !request.summarize;
  $("summary-body").replaceChildren(make("p", { className: "aside" }, "It comes when all is translated."));
  $("checks-title").textContent = "To check";
  $("taking").hidden = true;
  $("stop").hidden = false;
  $("progress").hidden = false;
  $("progress").removeAttribute("value");
  $("state").textContent = "Waiting for the server…";
  document.title = "kortom";
}

function start(article, { source }) {
  const { detected, date, blocks } = article;
  const from = source === "auto" ? (detected?.language ?? "") : source;
  const named = from ? language(from) : "Source";
  $("source-title").textContent = named;
  $("facts").textContent = [date, from && source === "auto" && `${named}, as detected`].filter(Boolean).join(" · ");
  if (source !== "auto" && detected && detected.language !== source) {
    notice(`this looks like ${language(detected.language)}, not ${named}\n${WRONG_LANGUAGE}`);
  }
  // The date stands above, and a label is what was on a button of some other page.
  const shown = blocks.filter(({ kind, segments, text }) => segments.length || (text && !/date|label/.test(kind)));
  sentences = Array.from({ length: article.segments }, () => ({}));
  $("pairs").replaceChildren(...shown.map((block) => pair(block, from)));
  $("progress").max = article.segments;
  $("announced").textContent = `Translating ${count(article.segments, "sentence")}`;
  advance();
}

/** A block's English and its source side by side, with a place for each sentence. */
function pair(block, from) {
  const english = make(block.kind === "heading" ? "h3" : "p", { lang: "en", dir: "auto" });
  const source = make("p", { lang: from, dir: "auto", className: "source" });
  for (const index of block.segments) {
    for (const [side, place] of Object.entries({ english, source })) {
      const sentence = make("span", { className: "sentence pending", tabIndex: -1 }, "…");
      sentence.dataset.index = index;
      sentences[index][side] = sentence;
      place.append(place.hasChildNodes() ? " " : "", sentence);
    }
  }
  if (!block.segments.length) for (const place of [english, source]) place.append(block.text);
  const row = make("div", { className: "pair" }, english, source);
  row.dataset.kind = block.kind;
  return row;
}

/** Puts a sentence in its place; once more when the whole digest is there. */
function fill(segment) {
  const sentence = sentences[segment.index];
  const shown = JSON.stringify([segment.source, segment.target, segment.flags, segment.notes ?? []]);
  // What stands there already stays, with a reader's selection in it.
  if (shown === sentence.shown) return;
  Object.assign(sentence, { segment, shown });
  const found = findings(segment);
  const { english, source } = sentence;
  source.replaceChildren(segment.source);
  english.id = `s${segment.index}`;
  english.replaceChildren(make(found.length ? "mark" : "span", {}, segment.target.trim() || "(nothing)"));
  if (found.length) english.append(make("span", { className: "unseen" }, ` (Check: ${found.join("; ")}.) `));
  english.tabIndex = found.length || segment.index === 0 ? 0 : -1;
  for (const place of [english, source]) place.classList.remove("pending");
  list(segment.index, found, segment.target);
  advance();
}

/** The entry of a sentence, or of the summary (which is before all), in the list of what to check. */
function list(index, found, text) {
  const entries = [...$("checks-list").children];
  entries.find((entry) => Number(entry.dataset.index) === index)?.remove();
  if (!found.length) return;
  const link = make("a", { href: index < 0 ? "#summary" : `#s${index}` }, found.join("; "));
  const entry = make("li", {}, link, " ", make("q", {}, text));
  entry.dataset.index = index;
  $("checks-list").insertBefore(entry, entries.find((other) => Number(other.dataset.index) > index) ?? null);
  $("checks-title").textContent = `To check (${$("checks-list").children.length})`;
}

function advance() {
  const ready = sentences.filter(({ segment }) => segment).length;
  $("progress").value = ready;
  $("state").textContent = `${ready} of ${count(sentences.length, "sentence")}`;
}

function summarize({ summary, method, flags, notes }) {
  const found = findings({ flags, notes });
  const text = make(found.length ? "mark" : "span", {}, summary ?? "");
  const checks = found.map((finding) => make("li", {}, finding));
  $("summary-body").replaceChildren(
    make("p", { lang: "en", dir: "auto" }, text),
    ...(checks.length ? [make("ul", { className: "findings" }, ...checks)] : []),
    make("p", { className: "aside" }, summary ? METHODS[method] : "There is nothing to summarise."),
  );
  list(-1, found.map((finding) => `Summary: ${finding}`), summary ?? "");
}

function finish(digest) {
  digest.segments.forEach((segment, index) => fill({ ...segment, index }));
  const { summary, method, summary_flags: flags, summary_notes: notes } = digest;
  if (!$("summary").hidden) summarize({ summary, method, flags, notes });
  const { translation, summary: writer } = digest.models;
  const facts = [$("facts").textContent, `translated by ${translation}`, writer && `summary by ${writer}`];
  $("facts").textContent = `${facts.filter(Boolean).join(" · ")}.`;
  if (/(^|[/\\])kortom-nl-en$/.test(translation)) notice(DEMONSTRATION);
  digest.warnings.forEach(notice);
  document.title = `${digest.title ?? "Translation"} · kortom`;
  renderings = digest.renderings;
  $("taking").hidden = false;
  end("Done");
}

/** What a reader should know; the same thing is said once. */
function notice(text) {
  const [about] = quoted(text).split("\n");
  if ([...$("notices").children].some((other) => other.textContent.startsWith(about))) return;
  $("notices").append(make("p", { className: "notice" }, quoted(text)));
}

function fail(error) {
  end("Not finished");
  $("notices").prepend(make("div", { className: "notice alarm", role: "alert" }, ...reasons(error)));
}

/** Nothing more will come. */
function end(how) {
  const ready = sentences.filter(({ segment }) => segment).length;
  const open = sentences.length - ready;
  const flagged = $("checks-list").children.length;
  const all = open ? `${ready} of ${count(sentences.length, "sentence")}` : count(ready, "sentence");
  $("state").textContent = `${how}: ${all}`;
  $("announced").textContent = `${how}: ${all}, ${flagged} to check`;
  $("checks-none").textContent = flagged ? "" : "Nothing was found. A sentence may still be wrong.";
  for (const { english, source, segment } of sentences) {
    if (!segment) [english.textContent, source.textContent] = ["[not translated]", ""];
  }
  if (!renderings) $("summary").hidden = true;
  $("stop").hidden = true;
  $("progress").hidden = true;
}

// ---- A sentence and its partner

/** The sentence under the pointer, and the one with the keyboard's focus. */
const at = { hovered: null, focused: null };

function indexOf(node) {
  return node instanceof Element ? (node.closest("[data-index].sentence")?.dataset.index ?? null) : null;
}

/** Marks a sentence and its partner. */
function light(changed) {
  Object.assign(at, changed);
  const sentence = sentences[at.hovered ?? at.focused];
  for (const lit of document.querySelectorAll(".sentence.lit")) lit.classList.remove("lit");
  sentence?.english.classList.add("lit");
  sentence?.source.classList.add("lit");
  explain(sentence);
}

/** Says beside a flagged sentence what to check. */
function explain(sentence) {
  const found = sentence?.segment ? findings(sentence.segment) : [];
  const box = $("explanation");
  box.hidden = !found.length;
  if (!found.length) return;
  box.replaceChildren(...found.map((finding) => make("p", {}, finding)));
  const lines = sentence.english.getClientRects();
  const last = lines[lines.length - 1];
  const below = last.bottom + box.offsetHeight < innerHeight;
  box.dataset.side = below ? "below" : "above";
  const top = below ? last.bottom : lines[0].top - box.offsetHeight;
  const left = Math.min(last.left, document.documentElement.clientWidth - box.offsetWidth - 8);
  box.style.top = `${top + scrollY}px`;
  box.style.left = `${Math.max(8, left) + scrollX}px`;
}

/** The arrow keys go from sentence to sentence. */
function step(event) {
  const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  const index = indexOf(event.target);
  if (!by || index === null || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  sentences[Number(index) + by]?.english.focus();
}

function jump(event) {
  const link = event.target.closest("a");
  if (!link) return;
  event.preventDefault();
  const place = document.querySelector(link.getAttribute("href"));
  place.scrollIntoView({ block: "center" });
  place.focus({ preventScroll: true });
}

// ---- Taking it along

function taken(how) {
  const name = $("rendering").selectedOptions[0].text;
  $("taken").textContent = `${how} as ${name}`;
}

/** HTML goes along as a page for word processors, and as its own text for other programs. */
function copy() {
  const kind = $("rendering").value;
  const write = (event) => {
    event.preventDefault();
    event.clipboardData.setData("text/plain", renderings[kind]);
    if (kind === "html") event.clipboardData.setData("text/html", renderings[kind]);
  };
  // The newer `navigator.clipboard` is missing where a server in the house is reached without TLS.
  document.addEventListener("copy", write, { once: true });
  if (document.execCommand("copy")) return taken("Copied");
  document.removeEventListener("copy", write);
  $("taken").textContent = "The browser does not allow copying: download it";
}

const FILES = { text: ["txt", "text/plain"], markdown: ["md", "text/markdown"], html: ["html", "text/html"] };

function download() {
  const kind = $("rendering").value;
  const [extension, type] = FILES[kind];
  const address = URL.createObjectURL(new Blob([renderings[kind]], { type: `${type};charset=utf-8` }));
  make("a", { href: address, download: `${fileName || "translation"}.en.${extension}` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
  taken("Downloaded");
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
  $("download").addEventListener("click", download);
  $("checks-list").addEventListener("click", jump);
  $("pairs").addEventListener("keydown", step);
}

function lighting() {
  document.addEventListener("pointerover", ({ target }) => {
    // The explanation stays while it is read or copied from.
    if (!$("explanation").contains(target)) light({ hovered: indexOf(target) });
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
