/** The dialog that asks back: before what can't be undone, and where there is a choice. */

import { element } from "../document/element.js";

/**
 * A question. `isGrave`: what is confirmed can't be undone, so that a careless Enter says no. `field`: what
 * may be filled in as well. `isStill`
 * says whether it makes sense any more; when not, it is taken back.
 * @typedef {object} Question
 * @property {string} title
 * @property {string} text
 * @property {HTMLElement} [field]
 * @property {boolean} [isGrave]
 * @property {() => boolean} [isStill]
 */

/** @typedef {Question & { confirm: string, cancel?: string }} YesOrNo */

export class Asking {
  #dialog;
  #title;
  #text;
  #choices;
  #texts;
  /** @type {HTMLElement | undefined} */
  #field;
  /** @type {(() => boolean) | null} */
  #isStill = null;
  /** @type {((answer: string | null) => void) | null} */
  #answer = null;

  /**
   * @param {{ dialog: HTMLDialogElement, title: HTMLElement, text: HTMLElement, choices: HTMLElement,
   *   texts: { say(key: "ask.cancel"): string } }} options
   */
  constructor({ dialog, title, text, choices, texts }) {
    this.#dialog = dialog;
    this.#title = title;
    this.#text = text;
    this.#choices = choices;
    this.#texts = texts;
    choices.addEventListener("click", (event) => {
      if (event.target instanceof HTMLButtonElement) dialog.close(event.target.value);
    });
    // The event comes late: by then there may be another question.
    dialog.addEventListener("close", () => {
      if (!dialog.open) this.#settle(dialog.returnValue || null);
    });
  }

  /**
   * Ask whether to do something. False where the answer is no, or none.
   * @param {YesOrNo} question
   */
  async ask({ confirm, cancel = this.#texts.say("ask.cancel"), ...question }) {
    return (await this.choose({ ...question, cancel, choices: { confirm } })) === "confirm";
  }

  /**
   * Ask what to do, with a text for each choice, the likeliest last. Null where nothing was chosen.
   * @param {Question & { choices: Readonly<Record<string, string>>, cancel: string }} question
   * @returns {Promise<string | null>}
   */
  choose({ title, text, field, choices, cancel, isGrave = false, isStill = () => true }) {
    this.#settle(null);
    this.#field?.remove();
    this.#field = field;
    if (field !== undefined) this.#choices.before(field);
    this.#title.textContent = title;
    this.#text.textContent = text;
    const buttons = Object.entries(choices).map(([value, words]) => choice(value, words, "quiet"));
    const last = buttons.at(-1);
    if (last !== undefined) last.className = isGrave ? "primary danger" : "primary";
    const no = choice("", cancel, "quiet");
    // Many stand one below the other, the likeliest first.
    const isMany = buttons.length > 2;
    this.#choices.classList.toggle("many", isMany);
    this.#choices.replaceChildren(...(isMany ? [...buttons.reverse(), no] : [no, ...buttons]));
    this.#dialog.returnValue = "";
    this.#isStill = isStill;
    if (!this.#dialog.open) this.#dialog.showModal();
    (isGrave ? no : last)?.focus();
    return new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  /** Take a question back that makes no sense any more. */
  render() {
    if (this.#dialog.open && this.#isStill?.() === false) this.#dialog.close("");
  }

  /** @param {string | null} answer */
  #settle(answer) {
    this.#answer?.(answer);
    this.#answer = null;
  }
}

/**
 * @param {string} value
 * @param {string} words
 * @param {string} className
 */
function choice(value, words, className) {
  const made = element("button", className, words);
  made.type = "button";
  made.value = value;
  return made;
}
