/**
 * The recipient: a combo box over everybody in the room, with `G` for all on top.
 *
 * What was chosen stays chosen when that person goes: a private message must never turn into a public
 * one by itself. Any other name can be typed, too; the service knows whether it is somebody's.
 */

import { fold } from "./frames.js";
import { element, hue } from "./line.js";

/**
 * @import { Chat } from "./chat.js"
 * @import { Key, Texts } from "./texts.js"
 */

/** The name that stands for everybody. */
export const EVERYBODY = "G";
/** Names in the open list, at most. */
const SHOWN = 100;

export class Picker {
  #input;
  #list;
  #hint;
  #chat;
  #texts;
  #onChange;
  #onDone;
  /** @type {string | null} */
  #value = null;
  #isOpen = false;
  #isFiltering = false;
  #active = 0;
  /** @type {(string | null)[]} */
  #options = [];
  #drawn = "";

  /**
   * `onChange` is called when another recipient was chosen, `onDone` when one was settled on.
   * @param {object} options
   * @param {HTMLInputElement} options.input
   * @param {HTMLElement} options.list
   * @param {HTMLElement} options.hint
   * @param {Chat} options.chat
   * @param {Texts} options.texts
   * @param {() => void} options.onChange
   * @param {() => void} options.onDone
   */
  constructor({ input, list, hint, chat, texts, onChange, onDone }) {
    this.#input = input;
    this.#list = list;
    this.#hint = hint;
    this.#chat = chat;
    this.#texts = texts;
    this.#onChange = onChange;
    this.#onDone = onDone;
    input.addEventListener("focus", () => input.select());
    input.addEventListener("click", () => this.open());
    input.addEventListener("input", () => this.#typed());
    input.addEventListener("keydown", (event) => this.#pressed(event));
    input.addEventListener("blur", () => this.#commitTyped());
    // The list never takes the focus: it is moved about in with the arrows, or clicked.
    list.addEventListener("pointerdown", (event) => event.preventDefault());
    list.addEventListener("click", (event) => this.#clicked(event));
  }

  /** Who is written to: a nickname, or null for everybody. */
  get value() {
    return this.#value;
  }

  /**
   * Choose a recipient; null is everybody.
   * @param {string | null} nickname
   */
  choose(nickname) {
    this.#value = nickname;
    this.#close();
    this.#showValue();
    this.#onChange();
  }

  /** Open the list with everybody in it. */
  open() {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#isFiltering = false;
    this.#active = -1;
    this.render();
    this.#list.scrollTop = 0;
  }

  /** Show what has changed. */
  render() {
    const { roster } = this.#chat;
    const isAbsent = this.#value !== null && roster.find(this.#value) === undefined;
    this.#input.classList.toggle("is-private", this.#value !== null);
    this.#input.classList.toggle("is-absent", isAbsent);
    this.#hint.textContent = isAbsent ? this.#texts.say("write.absent", { name: this.#value }) : "";
    if (this.#isOpen) this.#renderList();
  }

  // --- The list ----------------------------------------------------------------------------------

  #renderList() {
    const { roster } = this.#chat;
    const wanted = this.#isFiltering ? this.#input.value.trim() : "";
    const state = `${roster.version} ${wanted}`;
    if (state !== this.#drawn) {
      const { names, total } = roster.matching(wanted, SHOWN);
      const isNobody = wanted !== "" && !this.#isAll(wanted) && roster.find(wanted) === undefined;
      this.#setOptions([
        ...(fold(this.#everybody()).includes(fold(wanted)) ? [null] : []),
        ...names,
        ...(isNobody ? [wanted] : []), // an account that is away can be written to
      ]);
      const drawn = this.#options.map((name, index) => this.#option(name, index));
      if (total > names.length) drawn.push(this.#remark("people.narrow", total - names.length));
      this.#list.replaceChildren(...drawn);
      this.#drawn = state;
    }
    this.#list.hidden = false;
    this.#input.setAttribute("aria-expanded", "true");
    this.#markActive();
  }

  /**
   * Change the options; who was about to be chosen stays so.
   * @param {(string | null)[]} options
   */
  #setOptions(options) {
    const active = this.#options[this.#active];
    this.#options = options;
    this.#active = active === undefined ? -1 : options.indexOf(active);
    if (this.#active >= 0 || !this.#isFiltering) return;
    // What was typed means everybody only if it says so: "an" is rather anna.
    const isPerson = options.length > 1 && options[0] === null && !this.#isAll(this.#input.value);
    this.#active = isPerson ? 1 : 0;
  }

  /**
   * @param {string | null} name
   * @param {number} index
   */
  #option(name, index) {
    const { roster, nickname } = this.#chat;
    const isOwn = name !== null && fold(name) === fold(nickname);
    const isAbsent = name !== null && roster.find(name) === undefined;
    const made = element(
      "li",
      "",
      element("span", name === null ? "everybody" : `name ${hue(name)}`, name ?? this.#everybody()),
      isOwn ? element("span", "tag", this.#texts.say("people.you")) : null,
      isAbsent ? element("span", "tag", this.#texts.say("people.absent")) : null,
    );
    made.id = `recipient-${index}`;
    made.setAttribute("role", "option");
    made.setAttribute("aria-selected", String(name === this.#value));
    made.dataset.index = String(index);
    return made;
  }

  /**
   * @param {Key} key
   * @param {number} count
   */
  #remark(key, count) {
    const made = element("li", "remark", this.#texts.say(key, { count }));
    made.setAttribute("role", "presentation");
    return made;
  }

  #markActive() {
    for (const it of this.#list.querySelectorAll(".is-active")) it.classList.remove("is-active");
    const active = this.#list.querySelector(`#recipient-${this.#active}`);
    if (active === null) {
      this.#input.removeAttribute("aria-activedescendant");
      return;
    }
    active.classList.add("is-active");
    active.scrollIntoView({ block: "nearest" });
    this.#input.setAttribute("aria-activedescendant", active.id);
  }

  #close() {
    this.#isOpen = false;
    this.#isFiltering = false;
    this.#drawn = "";
    this.#options = [];
    this.#list.hidden = true;
    this.#list.replaceChildren();
    this.#input.setAttribute("aria-expanded", "false");
    this.#input.removeAttribute("aria-activedescendant");
  }

  // --- The person --------------------------------------------------------------------------------

  #typed() {
    this.#isOpen = true;
    this.#isFiltering = true;
    this.#active = -1;
    this.#options = [];
    this.render();
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (event.isComposing) return;
    switch (event.key) {
      case "ArrowDown":
      case "ArrowUp":
        event.preventDefault();
        if (!this.#isOpen) this.open();
        else this.#move(event.key === "ArrowDown" ? 1 : -1);
        break;
      case "Enter": {
        event.preventDefault();
        const option = this.#options[this.#active];
        if (this.#isOpen && option !== undefined) this.choose(option);
        else this.#commitTyped();
        this.#onDone();
        break;
      }
      case "Escape":
        if (!this.#isOpen) return;
        event.preventDefault();
        this.#close();
        this.#showValue();
        this.#input.select();
        break;
    }
  }

  /** @param {number} step */
  #move(step) {
    const count = this.#options.length;
    if (count === 0) return;
    this.#active = this.#active < 0 && step < 0 ? count - 1 : (this.#active + step + count) % count;
    this.#markActive();
  }

  /** @param {MouseEvent} event */
  #clicked(event) {
    if (!(event.target instanceof Element)) return;
    const option = this.#options[Number(event.target.closest("li")?.dataset.index)];
    if (option === undefined) return;
    this.choose(option);
    this.#onDone();
  }

  /** Take what stands in the field, whether it was picked or typed. */
  #commitTyped() {
    if (!this.#isFiltering) {
      this.#close();
      this.#showValue();
      return;
    }
    const typed = this.#input.value.trim();
    this.choose(this.#isAll(typed) ? null : (this.#chat.roster.find(typed) ?? typed));
  }

  #showValue() {
    this.#input.value = this.#value ?? this.#everybody();
  }

  /** @param {string} typed */
  #isAll(typed) {
    const words = ["", EVERYBODY, this.#texts.say("people.everybody"), this.#everybody()];
    return words.some((word) => fold(word) === fold(typed.trim()));
  }

  #everybody() {
    return `${this.#texts.say("people.everybody")} (${EVERYBODY})`;
  }
}
