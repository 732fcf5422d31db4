/**
 * The list of what could complete the word that is being written.
 *
 * It opens by itself after a sign that asks for it (`:`, `@`, `/`), else by Tab. Tab puts one after the other
 * into the field and ends with what was typed: the next Tab leads on, so that nobody is caught. Enter takes
 * only what was moved to.
 */

import { element } from "../document/element.js";
import { closedEmoji, complete } from "./completion.js";

/**
 * @import { Chat } from "../chat/chat.js"
 * @import { Texts } from "../texts/texts.js"
 * @import { Completion } from "./completion.js"
 */

export class Suggestions {
  #field;
  #list;
  #status;
  #chat;
  #texts;
  #loadEmoji;
  #askRooms;
  /** @type {Completion | null} */
  #completion = null;
  /** What was typed, which is to come back. */
  #typed = "";
  /** The option in the field, or moved to; -1 is none. */
  #active = -1;
  /** Whether it is in the field, and not only moved to. */
  #isPut = false;
  /** @type {ReadonlyMap<string, string>} */
  #emoji = new Map();
  /** Whether it was asked which rooms there are. */
  #isAsking = false;
  /** Whether all were gone through. */
  #isSpent = false;

  /**
   * `loadEmoji` imports their table, `askRooms` asks which rooms there are.
   * @param {object} options
   * @param {HTMLTextAreaElement} options.field
   * @param {HTMLElement} options.list
   * @param {HTMLElement} options.status
   * @param {Chat} options.chat
   * @param {Texts} options.texts
   * @param {() => Promise<{ EMOJI: ReadonlyMap<string, string> }>} options.loadEmoji
   * @param {() => void} options.askRooms
   */
  constructor({ field, list, status, chat, texts, loadEmoji, askRooms }) {
    this.#field = field;
    this.#list = list;
    this.#status = status;
    this.#chat = chat;
    this.#texts = texts;
    this.#loadEmoji = loadEmoji;
    this.#askRooms = askRooms;
    field.addEventListener("input", (event) => {
      if (event instanceof InputEvent && !event.isComposing) this.look();
    });
    field.addEventListener("blur", () => this.close());
    field.addEventListener("pointerdown", () => this.close());
    // The list never takes the focus.
    list.addEventListener("pointerdown", (event) => event.preventDefault());
    list.addEventListener("click", ({ target }) => {
      const item = target instanceof Element ? target.closest("li") : null;
      if (item === null) return;
      this.#put(Number(item.dataset.index));
      this.close();
    });
  }

  /** Close the list; what is in the field stays. */
  close() {
    this.#completion = null;
    this.#active = -1;
    this.#isSpent = false;
    this.#list.hidden = true;
    this.#status.textContent = "";
    this.#field.removeAttribute("aria-activedescendant");
  }

  /**
   * Take a key, if it is for the list; return whether it was.
   * @param {KeyboardEvent} event
   */
  takes({ key, shiftKey, ctrlKey, altKey, metaKey }) {
    if (ctrlKey || altKey || metaKey) return false;
    if (key === "Tab") return this.#tab(shiftKey ? -1 : 1);
    if (this.#completion === null) return false;
    switch (key) {
      case "ArrowDown":
      case "ArrowUp": {
        const count = this.#completion.options.length;
        const step = key === "ArrowDown" ? 1 : -1;
        this.#mark(
          this.#active < 0 && step < 0 ? count - 1 : (this.#active + step + count) % count,
        );
        return true;
      }
      case "Enter":
        if (this.#active >= 0 && !this.#isPut) {
          this.#put(this.#active);
          this.close();
          return true;
        }
        this.close();
        return false;
      case "Escape":
        this.#put(-1);
        this.close();
        return true;
      case "ArrowLeft":
      case "ArrowRight":
      case "Home":
      case "End":
        this.close();
        return false;
      default:
        return false;
    }
  }

  /** @param {number} step */
  #tab(step) {
    if (this.#isSpent || (this.#completion === null && step < 0)) return false;
    if (this.#completion === null) this.#find(true);
    if (this.#completion === null) return false;
    const { options } = this.#completion;
    const next = this.#active < 0 && step < 0 ? options.length : this.#active + step;
    if (next >= 0 && next < options.length) {
      this.#put(next);
      if (options.length === 1) this.close();
    } else {
      this.#put(-1);
      this.close();
      this.#isSpent = true;
    }
    return true;
  }

  /** Show what has changed: the rooms that there are, which were asked for by what was written. */
  render() {
    if (!this.#isAsking || this.#chat.listed === null) return;
    this.#isAsking = false;
    if (document.activeElement === this.#field && this.#active < 0) this.#find(false);
  }

  /** Look at what was written: it may ask for a list, or have closed an emoji's name. */
  look() {
    const { selectionStart, value } = this.#field;
    if (this.#chat.listed === null && value.includes("#")) {
      this.#isAsking = true;
      this.#askRooms();
    }
    if (this.#emoji.size === 0 && value.includes(":")) void this.#learnEmoji();
    const emoji = closedEmoji(value.slice(0, selectionStart), this.#emoji);
    if (emoji !== null) this.#field.setRangeText(emoji.text, emoji.from, selectionStart, "end");
    this.#find(false);
  }

  /** Load the emoji, and look again: what asks for them may have been written meanwhile. */
  async #learnEmoji() {
    const loaded = await this.#loadEmoji().catch(() => null);
    // Without, what is written stays as it is; the next letter tries again.
    if (loaded === null || this.#emoji.size > 0) return;
    this.#emoji = loaded.EMOJI;
    if (document.activeElement === this.#field) this.look();
  }

  get #around() {
    const { shown, nickname, rooms, listed } = this.#chat;
    const others = (listed ?? []).map((it) => it.room);
    return { roster: shown.roster, nickname, rooms: [...new Set([...rooms.keys(), ...others])] };
  }

  /** @param {boolean} onDemand */
  #find(onDemand) {
    this.close();
    const { selectionStart, selectionEnd, value } = this.#field;
    if (selectionStart !== selectionEnd) return;
    const before = value.slice(0, selectionStart);
    const completion = complete(before, this.#around, onDemand, this.#emoji);
    if (completion === null) return;
    this.#completion = completion;
    this.#typed = before.slice(completion.from);
    const items = completion.options.map(({ words }, index) => {
      const made = element("li", "", words);
      made.id = `suggestion-${index}`;
      made.dataset.index = String(index);
      made.setAttribute("role", "option");
      return made;
    });
    this.#list.replaceChildren(...items);
    this.#list.hidden = false;
    this.#status.textContent = this.#texts.say("write.suggestions", { count: items.length });
    this.#mark(-1);
  }

  /**
   * Put an option into the field instead of what is there; -1 is what was typed.
   * @param {number} index
   */
  #put(index) {
    if (this.#completion === null) return;
    const { from, options } = this.#completion;
    const text = options[index]?.text ?? this.#typed;
    this.#field.setRangeText(text, from, this.#field.selectionStart, "end");
    this.#mark(index);
    this.#isPut = true;
  }

  /** @param {number} index */
  #mark(index) {
    this.#active = index;
    this.#isPut = false;
    for (const [at, item] of [...this.#list.children].entries()) {
      item.setAttribute("aria-selected", String(at === index));
      item.classList.toggle("is-active", at === index);
      if (at === index) item.scrollIntoView({ block: "nearest" });
    }
    if (index < 0) this.#field.removeAttribute("aria-activedescendant");
    else this.#field.setAttribute("aria-activedescendant", `suggestion-${index}`);
  }
}
