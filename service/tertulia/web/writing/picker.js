/**
 * The recipient: a combo box over everybody in the room, with `G` for all on top. Its list is loaded when it is opened.
 *
 * What was chosen stays chosen when that person goes: a private message must never turn into a public
 * one by itself. Any other name can be typed, too; the service knows whether it is somebody's.
 */

import { fold } from "../session/frames.js";
import { EVERYBODY } from "./lines.js";

/**
 * @import { Chat } from "../chat/chat.js"
 * @import { Texts } from "../texts/texts.js"
 * @import { Recipients } from "./recipients.js"
 */

/**
 * @typedef {{ now: Recipients | null, attempt: () => Promise<Recipients | null> }} LateRecipients
 */

export class Picker {
  #input;
  #hint;
  #chat;
  #texts;
  #recipients;
  #onChange;
  #onDone;
  /** @type {string | null} */
  #value = null;
  /** Whether something is being typed. */
  #isFiltering = false;

  /**
   * `onChange` is called when another recipient was chosen, `onDone` when one was settled on.
   * @param {object} options
   * @param {HTMLInputElement} options.input
   * @param {HTMLElement} options.hint
   * @param {Chat} options.chat
   * @param {Texts} options.texts
   * @param {LateRecipients} options.recipients
   * @param {() => void} options.onChange
   * @param {() => void} options.onDone
   */
  constructor({ input, hint, chat, texts, recipients, onChange, onDone }) {
    this.#input = input;
    this.#hint = hint;
    this.#chat = chat;
    this.#texts = texts;
    this.#recipients = recipients;
    this.#onChange = onChange;
    this.#onDone = onDone;
    input.addEventListener("focus", () => input.select());
    input.addEventListener("click", () => this.open());
    input.addEventListener("input", () => {
      this.#isFiltering = true;
      this.#load();
    });
    input.addEventListener("keydown", (event) => this.#pressed(event));
    input.addEventListener("blur", () => this.#commitTyped());
  }

  /** Who is written to: a nickname, or null for everybody. */
  get value() {
    return this.#value;
  }

  /** What is being typed to find somebody; empty where nothing is. */
  get typed() {
    return this.#isFiltering ? this.#input.value.trim() : "";
  }

  /** Who will be: as `value`, or what is being typed, as if it were settled on. */
  get intended() {
    if (!this.#isFiltering) return this.#value;
    const { typed } = this;
    return this.isAll(typed) ? null : (this.#chat.lobby.roster.find(typed) ?? typed);
  }

  /** What stands for everybody. */
  get everybody() {
    return `${this.#texts.say("people.everybody")} (${EVERYBODY})`;
  }

  /**
   * Whether something that was typed means everybody.
   * @param {string} typed
   */
  isAll(typed) {
    const words = ["", EVERYBODY, this.#texts.say("people.everybody"), this.everybody];
    return words.some((word) => fold(word) === fold(typed.trim()));
  }

  /**
   * Choose a recipient; null is everybody.
   * @param {string | null} nickname
   */
  choose(nickname) {
    this.#value = nickname;
    this.#rest();
    this.#onChange();
  }

  /**
   * Choose one, and go on writing.
   * @param {string | null} nickname
   */
  settle(nickname) {
    this.choose(nickname);
    this.#onDone();
  }

  /** Open the list with everybody in it. */
  open() {
    if (this.#recipients.now?.isOpen) return;
    this.#isFiltering = false;
    this.#load();
  }

  /** Show what has changed. */
  render() {
    const { roster } = this.#chat.lobby;
    const isAbsent = this.#value !== null && roster.find(this.#value) === undefined;
    this.#input.classList.toggle("is-private", this.#value !== null);
    this.#input.classList.toggle("is-absent", isAbsent);
    const told = this.#warning(isAbsent);
    if (this.#hint.textContent !== told) this.#hint.textContent = told;
    this.#recipients.now?.render();
  }

  /** Have the list, or what is typed is all there is. */
  async #load() {
    const list = await this.#recipients.attempt();
    if (document.activeElement === this.#input) list?.open();
  }

  /** Who would be chosen in the list, where one types faster than it comes; undefined where nobody is found. */
  #first() {
    const { typed } = this;
    if (this.isAll(typed)) return undefined;
    return this.#chat.shown.roster.matching(typed, 1).names[0];
  }

  /** @param {boolean} isAbsent */
  #warning(isAbsent) {
    const name = this.#value ?? "";
    const other = this.#chat.likeness.other(name);
    const unlikely = other && this.#texts.say("people.unlike_hint", { name, other });
    const absent = isAbsent ? this.#texts.say("write.absent", { name }) : null;
    return [absent, unlikely].filter((it) => it !== null).join(" · ");
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (event.isComposing) return;
    const isOpen = this.#recipients.now?.isOpen ?? false;
    switch (event.key) {
      case "ArrowDown":
      case "ArrowUp":
        event.preventDefault();
        if (isOpen) this.#recipients.now?.move(event.key === "ArrowDown" ? 1 : -1);
        else this.open();
        break;
      case "Enter": {
        event.preventDefault();
        const option = isOpen ? this.#recipients.now?.option : this.#first();
        this.settle(option === undefined ? this.intended : option);
        break;
      }
      case "Escape":
        if (!isOpen) return;
        event.preventDefault();
        this.#rest();
        this.#input.select();
        break;
    }
  }

  /** Take what stands in the field, whether it was picked or typed. */
  #commitTyped() {
    if (this.#isFiltering) this.choose(this.intended);
    else this.#rest();
  }

  /** Close the list, and show who is written to. */
  #rest() {
    this.#isFiltering = false;
    this.#recipients.now?.close();
    this.#input.value = this.#value ?? this.everybody;
  }
}
