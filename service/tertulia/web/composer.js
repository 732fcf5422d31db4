/** The field that messages are written in. */

import { cleaned, MAX_TEXT, weight } from "./frames.js";

/**
 * @import { Refusal } from "./session.js"
 * @import { Texts } from "./texts.js"
 */

/** Bytes that are left when it is said how many. */
const NEARLY_FULL = 300;

export class Composer {
  #form;
  #field;
  #hint;
  #texts;
  #onSend;

  /**
   * `onSend` is given the text and returns null, or the reason why it was not taken.
   * @param {object} options
   * @param {HTMLElement} options.form
   * @param {HTMLTextAreaElement} options.field
   * @param {HTMLElement} options.hint
   * @param {Texts} options.texts
   * @param {(text: string) => Refusal | null} options.onSend
   */
  constructor({ form, field, hint, texts, onSend }) {
    this.#form = form;
    this.#field = field;
    this.#hint = hint;
    this.#texts = texts;
    this.#onSend = onSend;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    field.addEventListener("keydown", (event) => {
      // While a word is being composed, as in Japanese, Enter ends the word.
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault();
      this.#send();
    });
    field.addEventListener("input", () => this.#weigh());
  }

  focus() {
    // Setting it again would cost a layout for each message.
    if (document.activeElement !== this.#field) this.#field.focus();
  }

  /** Empty the field. */
  clear() {
    this.#field.value = "";
    this.#weigh();
  }

  /**
   * Say who will read it: `self`, a nickname, or null for everybody.
   * @param {string | null} nickname
   * @param {boolean} isSelf
   */
  address(nickname, isSelf) {
    const key = isSelf ? "_self" : nickname === null ? "" : "_private";
    this.#field.placeholder = this.#texts.say(`write.placeholder${key}`, { name: nickname });
    this.#form.classList.toggle("is-private", nickname !== null);
  }

  #send() {
    const refusal = this.#onSend(this.#field.value);
    if (refusal === null) this.clear();
    else if (refusal === "too_many") this.#complain(this.#texts.say("write.too_many"));
    else this.#weigh();
    this.focus();
  }

  #weigh() {
    const left = MAX_TEXT - weight(cleaned(this.#field.value));
    if (left < 0) this.#complain(this.#texts.say("write.too_long", { count: -left }));
    else this.#complain("", left < NEARLY_FULL ? left : null);
  }

  /**
   * @param {string} text
   * @param {number | null} left
   */
  #complain(text, left = null) {
    this.#field.setAttribute("aria-invalid", String(text !== ""));
    this.#hint.classList.toggle("is-grave", text !== "");
    const told = left === null ? text : this.#texts.say("write.left_over", { count: left });
    if (this.#hint.textContent !== told) this.#hint.textContent = told;
  }
}
