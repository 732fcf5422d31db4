/** The entrance: asks for a name, and says why one is here. */

/**
 * @import { Explanation, State } from "./session.js"
 * @import { Texts } from "./texts.js"
 */

/**
 * @typedef {object} Parts
 * @property {HTMLElement} form
 * @property {HTMLInputElement} name
 * @property {HTMLInputElement} password
 * @property {HTMLElement} enter
 * @property {HTMLElement} cancel
 * @property {HTMLElement} progress
 * @property {HTMLElement} complaint
 * @property {HTMLElement} news
 */

export class Entrance {
  #parts;
  #texts;
  #shown = "";

  /**
   * `onEnter` is given name and password; `onCancel` stops the attempt.
   * @param {object} options
   * @param {Parts} options.parts
   * @param {Texts} options.texts
   * @param {(name: string, password: string) => void} options.onEnter
   * @param {() => void} options.onCancel
   */
  constructor({ parts, texts, onEnter, onCancel }) {
    this.#parts = parts;
    this.#texts = texts;
    parts.form.addEventListener("submit", (event) => {
      event.preventDefault();
      onEnter(parts.name.value.trim(), parts.password.value);
    });
    parts.cancel.addEventListener("click", onCancel);
  }

  /**
   * Show where a session is that is not inside.
   * @param {{ state: State, explanation: Explanation | null }} session
   */
  render({ state, explanation }) {
    const { name, password, enter, cancel, progress, complaint, news } = this.#parts;
    const shown = JSON.stringify([state, explanation]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const isBusy = state !== "outside" && state !== "refused";
    name.readOnly = isBusy;
    password.readOnly = isBusy;
    enter.hidden = isBusy;
    cancel.hidden = !isBusy;
    const key = state === "waiting" ? "entrance.unreachable" : "entrance.entering";
    progress.textContent = isBusy ? this.#texts.say(key) : "";
    const told = explanation && this.#texts.sayOr(explanation.key, explanation.values);
    const isRefusal = explanation?.key.startsWith("refused.") ?? false;
    complaint.textContent = isRefusal ? told : "";
    news.textContent = explanation !== null && !isRefusal ? told : "";
    name.setAttribute("aria-invalid", String(isRefusal));
    if (isRefusal) {
      password.value = "";
      name.focus();
      name.select();
    }
  }

  /**
   * Be ready for somebody who has just come here.
   * @param {string} nickname
   */
  receive(nickname) {
    const { name, password } = this.#parts;
    if (name.value === "") name.value = nickname;
    password.value = "";
    name.focus();
    name.select();
  }

  /** Forget the password: it was of use, or will not be. */
  wipe() {
    this.#parts.password.value = "";
  }
}
