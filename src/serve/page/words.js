// What is said to a reader, and how.

import { $, make } from "./elements.js";
import { Refusal } from "./stream.js";

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

export const METHODS = {
  extractive: "Sentences of the article itself.",
  abstractive: "Written by a model, which can be wrong where the article is right.",
};
export const WRONG_LANGUAGE = "A translation from the wrong language is worthless, however well it reads.";
export const DEMONSTRATION =
  "The small built-in model translated this: a demonstration, with wrong words in nearly every paragraph. " +
  "Do not rely on it.";

/** Text with quotation marks for its backticks. */
export function quoted(text) {
  return text.replace(/`([^`]*)`/g, "“$1”");
}

/** What was found about a sentence or a summary, each in words. */
export function findings({ flags, notes }) {
  const found = notes?.length ? notes : (flags ?? []).map((flag) => ({ flag }));
  return found.map(({ flag, reason }) => (FLAGS[flag] ?? flag) + (reason ? `: ${quoted(reason)}` : ""));
}

/** So many of something. */
export const count = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

/** A language's name, as the server's list or else the browser has it. */
export function language(code) {
  const listed = [...$("source").options].find((option) => option.value === code && code !== "auto");
  try {
    return listed?.text ?? new Intl.DisplayNames(["en"], { type: "language" }).of(code);
  } catch {
    return code;
  }
}

/** What went wrong, and what to do about it, as paragraphs. */
export function reasons(error) {
  const { message, hint } = error instanceof Refusal ? error : new Refusal("the answer cannot be shown", String(error));
  return [message, hint].filter(Boolean).map((text) => make("p", {}, quoted(text)));
}
