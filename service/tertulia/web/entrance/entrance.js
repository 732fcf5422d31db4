/** The entrance: asks for a name, and says why one is here. */

import { element } from "../document/element.js";

/** Refusals that are about the password: the name may stay as it is. */
const OF_PASSWORDS = ["refused.wrong_password", "refused.no_account"];

/**
 * @import { Explanation, State } from "../session/session.js"
 * @import { Texts } from "../texts/texts.js"
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
 * @property {HTMLElement} passwordComplaint
 * @property {HTMLElement} free
 * @property {HTMLElement} news
 */

export class Entrance {
  #parts;
  #texts;
  #onEnter;
  #shown = "";
  /** The issuer at which one may sign in; empty where there is none. */
  issuer = "";

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
    this.#onEnter = onEnter;
    parts.form.addEventListener("submit", (event) => {
      event.preventDefault();
      onEnter(parts.name.value.trim(), parts.password.value);
    });
    parts.cancel.addEventListener("click", onCancel);
  }

  /**
   * Show where a session is that is not inside.
   * @param {{ state: State, status: string, explanation: Explanation | null }} session
   */
  render({ state, status, explanation }) {
    const { name, password, enter, cancel, progress, complaint, passwordComplaint, news } =
      this.#parts;
    const shown = JSON.stringify([state, status, explanation]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const isBusy = state !== "outside" && state !== "refused";
    name.readOnly = isBusy;
    password.readOnly = isBusy;
    enter.hidden = isBusy;
    cancel.hidden = !isBusy;
    const tried = state === "waiting" ? "entrance.unreachable" : "entrance.entering";
    const key = status === "foreign" ? "status.foreign" : tried;
    progress.textContent = isBusy ? this.#texts.say(key) : "";
    const values = { issuer: this.issuer, ...explanation?.values };
    const told = explanation && this.#texts.sayOr(explanation.key, values);
    const isRefusal = explanation?.key.startsWith("refused.") ?? false;
    const isOfPassword = isRefusal && OF_PASSWORDS.includes(explanation?.key ?? "");
    complaint.textContent = isRefusal && !isOfPassword ? told : "";
    passwordComplaint.textContent = isOfPassword ? told : "";
    this.#offer(isRefusal ? (explanation?.suggestions ?? []) : []);
    news.textContent = explanation !== null && !isRefusal ? told : "";
    name.setAttribute("aria-invalid", String(isRefusal && !isOfPassword));
    password.setAttribute("aria-invalid", String(isOfPassword));
    if (isRefusal) {
      password.value = "";
      // It may have been asked for in the chat; and the password that comes now is this name's.
      name.value = String(explanation?.values.name || name.value);
      const isAsked = explanation?.key === "refused.nickname_taken"; // for the password of one's account
      const wrong = isOfPassword || isAsked ? password : name;
      wrong.focus();
      wrong.select();
    }
  }

  /**
   * Offer names that are free; whoever takes one comes in.
   * @param {readonly string[]} names
   */
  #offer(names) {
    const { free, name } = this.#parts;
    free.hidden = names.length === 0;
    for (const old of free.querySelectorAll("button")) old.remove();
    for (const it of names) {
      const button = element("button", "quiet", it);
      button.type = "button";
      button.addEventListener("click", () => {
        name.value = it;
        this.#onEnter(it, "");
      });
      free.append(button);
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
