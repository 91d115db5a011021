// A digest beside its article, while it comes and when it is there.
// Invariant: what is not complete never looks as if it were, and can neither be copied nor downloaded.

import { grouped, marked } from "./alignment.js";
import { $, make } from "./elements.js";
import { DEMONSTRATION, METHODS, WRONG_LANGUAGE, count, findings, language, quoted, reasons } from "./words.js";

/** One entry for each sentence: its two places on the page, and what came for it. */
export let sentences = [];
/** What the server made of the article for taking along, when it is done. */
let renderings = null;

/** Makes room for what is to come. */
export function clear(request) {
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

const EVENTS = { start, segment: fill, summary: summarize, done: finish };

/** Shows what an event says; one of another name is none of ours. */
export function show(name, data, request) {
  EVENTS[name]?.(data, request);
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
  const { alignment = [] } = segment;
  const shown = JSON.stringify([segment.source, segment.target, segment.flags, segment.notes ?? [], alignment]);
  // What stands there already stays, with a reader's selection in it.
  if (shown === sentence.shown) return;
  Object.assign(sentence, { segment, shown });
  const found = findings(segment);
  const { english, source } = sentence;
  const [theirs, ours] = grouped(alignment);
  source.replaceChildren(...marked(segment.source, theirs));
  english.id = `s${segment.index}`;
  const target = segment.target.trim() ? marked(segment.target, ours) : ["(nothing)"];
  english.replaceChildren(make(found.length ? "mark" : "span", {}, ...target));
  if (isCorrection(segment)) english.append(make("small", { className: "origin" }, " from memory"));
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

/** Whether a person gave the translation. */
const isCorrection = ({ from, score }) => from === "memory" && score === null;

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
  const known = digest.segments.filter(({ from }) => from === "memory").length;
  const facts = [
    $("facts").textContent,
    `translated by ${translation}`,
    writer && `summary by ${writer}`,
    known && `${count(known, "sentence")} from memory`,
  ];
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

/** Says why nothing more comes. */
export function fail(error) {
  end("Not finished");
  $("notices").prepend(make("div", { className: "notice alarm", role: "alert" }, ...reasons(error)));
}

/** Nothing more will come. */
export function end(how) {
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

/** Which sentence a node belongs to. */
export function indexOf(node) {
  return node instanceof Element ? (node.closest("[data-index].sentence")?.dataset.index ?? null) : null;
}

/** Marks a sentence and its partner. */
export function light(changed) {
  Object.assign(at, changed);
  const sentence = sentences[at.hovered ?? at.focused];
  for (const lit of document.querySelectorAll(".sentence.lit")) lit.classList.remove("lit");
  sentence?.english.classList.add("lit");
  sentence?.source.classList.add("lit");
  explain(sentence);
}

/** Marks the words that belong to the one that a node is in, in its sentence and in the partner of that. */
export function link(node) {
  for (const linked of document.querySelectorAll(".word.linked")) linked.classList.remove("linked");
  const word = node instanceof Element ? node.closest(".word") : null;
  const sentence = word && sentences[indexOf(word)];
  for (const place of sentence ? [sentence.english, sentence.source] : []) {
    const same = place.querySelectorAll(`.word[data-group="${word.dataset.group}"]`);
    for (const other of same) other.classList.add("linked");
  }
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
export function step(event) {
  const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  const index = indexOf(event.target);
  if (!by || index === null || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  sentences[Number(index) + by]?.english.focus();
}

/** Goes from the list of what to check to the place. */
export function jump(event) {
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
export function copy() {
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

/** `name` is that of the article's file, if it had one. */
export function download(name) {
  const kind = $("rendering").value;
  const [extension, type] = FILES[kind];
  const address = URL.createObjectURL(new Blob([renderings[kind]], { type: `${type};charset=utf-8` }));
  make("a", { href: address, download: `${name || "translation"}.en.${extension}` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
  taken("Downloaded");
}
