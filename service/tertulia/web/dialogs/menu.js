/** A list of things to do that opens from a button. The popover's own ways close it. */

export class Menu {
  #list;

  /** @param {{ button: HTMLElement, list: HTMLElement }} options */
  constructor({ button, list }) {
    this.#list = list;
    list.addEventListener("toggle", (event) => {
      const isOpen = event instanceof ToggleEvent && event.newState === "open";
      button.setAttribute("aria-expanded", String(isOpen));
      if (isOpen) this.#items()[0]?.focus();
    });
    // Before what was chosen is done: a dialog gives the focus back to where it was when it opened.
    list.addEventListener("click", () => list.hidePopover(), { capture: true });
    list.addEventListener("keydown", (event) => this.#pressed(event));
  }

  #items() {
    const buttons = [...this.#list.querySelectorAll("button")];
    return buttons.filter((it) => !it.hidden && !it.disabled);
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    const items = this.#items();
    const at = items.findIndex((it) => it.matches(":focus"));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Tab") this.#list.hidePopover();
    if (to === undefined) return;
    event.preventDefault();
    items.at(to % items.length)?.focus();
  }
}
