// Words that belong together, in a sentence and in its translation.
// Invariant: a text is shown whole, whatever its words belong to.

import { make } from "./elements.js";

/**
 * The words of a source and of its target, from pairs of their ranges: `{ range, group }`, in the order of the text. Words
 * that share a word are of one group.
 */
export function grouped(pairs) {
  const sides = [[], []];
  let groups = 0;
  for (const pair of pairs) {
    const known = sides.map((words, side) => words.find(({ range }) => String(range) === String(pair[side])));
    const group = known[0]?.group ?? known[1]?.group ?? groups++;
    const other = known[1]?.group ?? group;
    for (const word of sides.flat()) if (word.group === other) word.group = group;
    sides.forEach((words, side) => known[side] || words.push({ range: pair[side], group }));
  }
  for (const words of sides) words.sort((one, next) => one.range[0] - next.range[0]);
  return sides;
}

/** A text as strings and elements, one for each of its words. Ranges count code points. */
export function marked(text, words) {
  const characters = Array.from(text);
  const parts = [];
  let done = 0;
  for (const { range: [start, end], group } of words) {
    if (start < done) continue;
    const word = make("span", { className: "word" }, characters.slice(start, end).join(""));
    word.dataset.group = group;
    parts.push(characters.slice(done, start).join(""), word);
    done = end;
  }
  return [...parts, characters.slice(done).join("")];
}
