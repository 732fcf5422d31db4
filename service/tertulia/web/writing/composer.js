/** The field that messages are written in. */

import { MAX_TEXT, weight } from "../session/frames.js";
import { textOf, tooMuch } from "./lines.js";
import { Recall } from "./recall.js";

/**
 * @import { Texts } from "../texts/texts.js"
 * @import { Complaint, Outcome } from "./commands.js"
 * @import { Suggestions } from "./suggestions.js"
 */

/**
 * The list that completes words, which is loaded when a sign or a Tab asks for it.
 * @typedef {{ now: Suggestions | null, attempt: () => Promise<Suggestions | null> }} LateSuggestions
 */

/** What the list is for, see writing/completion.js. */
const SIGNS = /[:@/#]/;
/** Bytes that are left when it is said how many. */
const NEARLY_FULL = 300;

export class Composer {
  #form;
  #field;
  #hint;
  #texts;
  #suggestions;
  #onSend;
  /** Whether the list could not be loaded, and nothing was written since. */
  #isAlone = false;
  /** Whether what is in the field is being carried out. */
  #isSending = false;
  #recall = new Recall();
  /** @type {string | null} */
  #to = null;

  /**
   * `onSend` is given the text. What it refuses stays in the field.
   * @param {object} options
   * @param {HTMLElement} options.form
   * @param {HTMLTextAreaElement} options.field
   * @param {HTMLElement} options.hint
   * @param {Texts} options.texts
   * @param {LateSuggestions} options.suggestions
   * @param {(text: string) => Outcome} options.onSend
   */
  constructor({ form, field, hint, texts, suggestions, onSend }) {
    this.#form = form;
    this.#field = field;
    this.#hint = hint;
    this.#texts = texts;
    this.#suggestions = suggestions;
    this.#onSend = onSend;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    field.addEventListener("keydown", (event) => this.#pressed(event));
    field.addEventListener("input", (event) => {
      this.#weigh();
      this.#isAlone = false;
      // From then on it looks at the letters by itself.
      if (suggestions.now !== null || !SIGNS.test(field.value)) return;
      const isWord = event instanceof InputEvent && !event.isComposing;
      if (isWord) void suggestions.attempt().then((it) => it?.look());
    });
  }

  focus() {
    // Setting it again would cost a layout for each message.
    if (document.activeElement !== this.#field) this.#field.focus();
  }

  /** What is being written. */
  get text() {
    return this.#field.value;
  }

  set text(text) {
    this.#field.value = text;
    this.#weigh();
  }

  /** Forget what was written. */
  clear() {
    this.text = "";
    this.#recall.clear();
  }

  /**
   * Say who will read it: a nickname, or null for everybody; in a further room, everybody there.
   * @param {string | null} nickname
   * @param {boolean} isSelf
   * @param {string} room with its sign; empty for the lobby
   */
  address(nickname, isSelf, room) {
    const name = nickname ?? (room || null);
    this.#to = name;
    const key = isSelf ? "_self" : nickname !== null ? "_private" : room && "_room";
    this.#field.placeholder = this.#texts.say(`write.placeholder${key}`, { name });
    this.#form.classList.toggle("is-private", nickname !== null);
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    // While a word is being composed, as in Japanese, Enter ends the word.
    if (event.isComposing) return;
    if (this.#isForList(event)) event.preventDefault();
    else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.#send();
    } else if (/^Arrow(Up|Down)$/.test(event.key) && !event.altKey) this.#bringBack(event);
  }

  /**
   * Let the list take a key; a Tab loads it, where it is not there. Returns whether the key was taken.
   * @param {KeyboardEvent} event
   */
  #isForList(event) {
    const { now } = this.#suggestions;
    if (now !== null) return now.takes(event);
    const { key, shiftKey, ctrlKey, altKey, metaKey } = event;
    const isTab = key === "Tab" && !shiftKey && !ctrlKey && !altKey && !metaKey;
    // Where it can't be loaded, the next Tab leads on: the keyboard is never caught.
    if (!isTab || this.#isAlone || this.text.trim() === "") return false;
    void this.#complete(event);
    return true;
  }

  /** @param {KeyboardEvent} event */
  async #complete(event) {
    const { text } = this;
    const list = await this.#suggestions.attempt();
    this.#isAlone = list === null;
    if (list === null) this.#tell(this.#texts.say("late.title"), true);
    else if (this.text === text) list.takes(event); // else it was for what stood there before
  }

  /** @param {KeyboardEvent} event */
  #bringBack(event) {
    const { selectionStart, selectionEnd, value } = this.#field;
    const isUp = event.key === "ArrowUp";
    const beyond = isUp ? value.slice(0, selectionStart) : value.slice(selectionEnd);
    if (event.shiftKey || beyond.includes("\n")) return;
    const text = this.#recall.move(isUp ? 1 : -1, value, this.#to);
    if (text === null) return;
    event.preventDefault();
    this.text = text;
  }

  #send() {
    const { text } = this;
    this.#suggestions.now?.close();
    this.focus();
    if (text.trim() === "" || this.#isSending) return;
    const to = this.#to;
    const outcome = this.#onSend(text);
    if (!(outcome instanceof Promise)) {
      this.#sent(text, to, outcome);
      return;
    }
    this.#isSending = true;
    outcome
      .then((complaint) => this.#sent(text, to, complaint))
      .finally(() => {
        this.#isSending = false;
      });
  }

  /**
   * @param {string} text
   * @param {string | null} to
   * @param {Complaint} complaint
   */
  #sent(text, to, complaint) {
    if (complaint === null) {
      this.#recall.add(to, text);
      // Something else may be written by then.
      if (this.text === text) this.text = "";
      return;
    }
    this.#complain(complaint);
  }

  /** @param {NonNullable<Complaint>} complaint */
  #complain({ key, values = {}, usage }) {
    const shown = usage === undefined ? "" : this.#texts.say(usage);
    this.#tell(this.#texts.say(key, { usage: shown, ...values }), true);
  }

  #weigh() {
    const text = textOf(this.text);
    const complaint = tooMuch(text);
    const count = MAX_TEXT - weight(text);
    if (complaint !== null) this.#complain(complaint);
    else this.#tell(count < NEARLY_FULL ? this.#texts.say("write.left_over", { count }) : "");
  }

  /**
   * @param {string} text
   * @param {boolean} isGrave
   */
  #tell(text, isGrave = false) {
    this.#field.setAttribute("aria-invalid", String(isGrave));
    this.#hint.classList.toggle("is-grave", isGrave);
    if (this.#hint.textContent !== text) this.#hint.textContent = text;
  }
}
