/** The keys of a log whose messages have buttons. */

/**
 * Move about in the buttons of the messages: from the log itself to the last, and on with the arrows.
 * @param {KeyboardEvent} event
 * @param {HTMLElement} scroller
 */
export function walk(event, scroller) {
  const { key, target } = event;
  const step = { ArrowUp: -1, ArrowDown: 1, Enter: 0 }[key];
  if (step === undefined || !(target instanceof HTMLElement)) return;
  const isAtLog = target === scroller;
  if (isAtLog ? key !== "Enter" : step === 0 || !target.matches(".act")) return;
  const acts = /** @type {HTMLElement[]} */ ([...scroller.querySelectorAll(".act")]);
  const next = acts.at(isAtLog ? -1 : Math.max(0, acts.indexOf(target) + step));
  if (next === undefined) return;
  event.preventDefault();
  next.focus();
}
