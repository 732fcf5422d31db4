/** The settings on the page: a dialog made from what can be set, in the reader's words. */

import { element } from "../document/element.js";
import { LANGUAGES } from "../texts/phrases.js";
import { CHOICES } from "./settings.js";

/**
 * @import { PartAs } from "../dialogs/late.js"
 * @import { Key, Texts } from "../texts/texts.js"
 * @import { Setting, Settings } from "./settings.js"
 */

export const MARKUP = `
<dialog id="settings-dialog" aria-labelledby="settings-title" aria-describedby="settings-hint">
  <div class="scrolled">
    <h2 id="settings-title" data-text="settings.title"></h2>
    <form method="dialog">
      <div id="settings" class="settings"></div>
      <p id="settings-hint" class="hint" data-text="settings.hint"></p>
      <div class="choices">
        <button class="primary" data-text="settings.done"></button>
      </div>
    </form>
  </div>
</dialog>
`;

export class Panel {
  #dialog;
  #form;
  #settings;
  #texts;

  /**
   * @param {object} options
   * @param {PartAs} options.partAs
   * @param {Settings} options.settings
   * @param {Texts} options.texts
   */
  constructor({ partAs, settings, texts }) {
    const form = partAs("settings", HTMLElement);
    this.#dialog = partAs("settings-dialog", HTMLDialogElement);
    this.#form = form;
    this.#settings = settings;
    this.#texts = texts;
    settings.onChange(() => this.#show());
    form.addEventListener("change", ({ target }) => {
      if (target instanceof HTMLSelectElement) this.#set(target.name, target.value);
      else if (target instanceof HTMLInputElement) {
        this.#set(target.name, target.checked ? "on" : "off");
      }
    });
  }

  /**
   * Open it, at a setting where one is named.
   * @param {Setting | ""} at
   */
  open(at = "") {
    if (this.#dialog.open) return;
    const names = /** @type {Setting[]} */ (Object.keys(CHOICES));
    this.#form.replaceChildren(...names.map((name) => this.#row(name)));
    this.#dialog.showModal();
    for (const it of this.#form.querySelectorAll("select")) if (it.name === at) it.focus();
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  #set(name, value) {
    this.#settings.set(/** @type {Setting} */ (name), value); // as the rows are named
  }

  /** Show what is set, where it is not what was chosen here: the browser may not allow it. */
  #show() {
    for (const select of this.#form.querySelectorAll("select")) {
      select.value = this.#settings.get(/** @type {Setting} */ (select.name)); // as the rows are named
    }
  }

  /** @param {Setting} name */
  #row(name) {
    /** @type {readonly string[]} */
    const choices = CHOICES[name];
    const value = this.#settings.get(name);
    const label = element("label", "setting", this.#texts.say(`settings.${name}`));
    if (choices.includes("on")) {
      const box = element("input", "");
      box.type = "checkbox";
      box.name = name;
      box.checked = value === "on";
      label.prepend(box);
    } else {
      const select = element("select", "");
      select.name = name;
      select.append(...choices.map((it) => new Option(this.#word(name, it), it)));
      select.value = value;
      label.append(select);
    }
    return label;
  }

  /**
   * @param {Setting} name
   * @param {string} choice
   */
  #word(name, choice) {
    if (Object.hasOwn(LANGUAGES, choice)) {
      return LANGUAGES[/** @type {keyof typeof LANGUAGES} */ (choice)];
    }
    return this.#texts.say(/** @type {Key} */ (`settings.${name}.${choice}`)); // a test has them all
  }
}
