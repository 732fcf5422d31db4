/** Small parts that all views are made of. */

import { element } from "../../web/document/element.js";

/** @import { Words } from "../texts/words.js" */

/**
 * Make what somebody wrote: as text, with a direction of its own.
 * @param {string | null | undefined} text
 * @param {string} className
 */
export function written(text, className = "people-text") {
  const made = element("bdi", className, text ?? "");
  return made;
}

/**
 * Make a button. `label` is its name where its words are too short for one: it has to begin with them.
 * @param {string} words
 * @param {() => void} onClick
 * @param {{ label?: string, className?: string }} options
 */
export function button(words, onClick, { label, className = "quiet" } = {}) {
  const made = element("button", className, words);
  made.type = "button";
  if (label !== undefined) made.ariaLabel = label;
  made.addEventListener("click", onClick);
  return made;
}

/**
 * Make a time as it is read.
 * @param {string | null | undefined} at
 * @param {Words} texts
 */
export function moment(at, texts) {
  if (!at) return null;
  const made = element("time", "", texts.say("value.moment", { until: Date.parse(at) }));
  made.dateTime = at;
  return made;
}

/**
 * Make a section with a heading. Returns it and where its content goes.
 * @param {string} id
 * @param {string} title
 * @param {...(Node | null)} content
 */
export function section(id, title, ...content) {
  const heading = element("h2", "", title);
  heading.id = `${id}-title`;
  const made = element("section", "card-part", heading, ...content);
  made.id = id;
  made.setAttribute("aria-labelledby", heading.id);
  return made;
}

/**
 * Make the head of a view: its title, which takes the focus when the view is come to, and what one can do there.
 * @param {string} title
 * @param {...(Node | null)} more
 */
export function head(title, ...more) {
  const heading = element("h1", "", element("bdi", "", title));
  heading.tabIndex = -1;
  return element("div", "view-head", heading, ...more);
}
