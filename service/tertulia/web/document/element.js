/** Elements of the document, and the words in them. Whatever somebody wrote goes in as text, never as markup. */

/** @typedef {{ has: (key: string) => boolean, say: (key: any) => string }} Speaker */

/**
 * Make an element with a class and what is in it: text, elements, or nothing.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} className
 * @param {...(Node | string | null)} content
 */
export function element(tag, className, ...content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content.filter((it) => it !== null));
  return made;
}

/**
 * Put the words into the document, where there are none yet: `data-text` fills an element, `data-label` its
 * aria-label, `data-title` its title.
 * @param {Speaker} texts
 */
export function translate(texts) {
  for (const name of ["data-text", "data-label", "data-title"]) {
    for (const it of document.querySelectorAll(`[${name}]`)) {
      const key = it.getAttribute(name);
      if (key === null || !texts.has(key)) throw new Error(`there is no text ${key}`);
      const text = texts.say(key);
      if (name === "data-text") it.textContent = text;
      else it.setAttribute(name === "data-label" ? "aria-label" : "title", text);
      it.removeAttribute(name);
    }
  }
}
