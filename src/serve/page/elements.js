// Elements of the page. Invariant: what is put into them as text never becomes markup.

export const $ = (id) => document.getElementById(id);

/** A new element; strings among its children become text. */
export function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}
