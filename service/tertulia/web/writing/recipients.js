/** The list from which a recipient is chosen, below the field in which one is typed. It never takes the focus. */

import { element } from "../document/element.js";
import { hue, unlike } from "../log/line.js";
import { tags } from "../people/tags.js";
import { fold } from "../session/frames.js";

/**
 * @import { Chat } from "../chat/chat.js"
 * @import { Texts } from "../texts/texts.js"
 * @import { Picker } from "./picker.js"
 */

/** Names in the open list, at most. */
const SHOWN = 100;

export class Recipients {
  #input;
  #list;
  #picker;
  #chat;
  #texts;
  #active = -1;
  /** @type {(string | null)[]} */
  #options = [];
  #drawn = "";
  #typed = "";
  /** Whether it is shown. */
  isOpen = false;

  /**
   * @param {object} options
   * @param {HTMLInputElement} options.input
   * @param {HTMLElement} options.list
   * @param {Picker} options.picker
   * @param {Chat} options.chat
   * @param {Texts} options.texts
   */
  constructor({ input, list, picker, chat, texts }) {
    this.#input = input;
    this.#list = list;
    this.#picker = picker;
    this.#chat = chat;
    this.#texts = texts;
    list.addEventListener("pointerdown", (event) => event.preventDefault());
    list.addEventListener("click", ({ target }) => {
      if (!(target instanceof Element)) return;
      const option = this.#options[Number(target.closest("li")?.dataset.index)];
      if (option !== undefined) picker.settle(option);
    });
  }

  /** The one who was moved to, or is meant by what was typed; null is everybody, undefined nobody. */
  get option() {
    return this.#options[this.#active];
  }

  /** Open it, with those who are meant by what was typed, or with all. */
  open() {
    const { typed } = this.#picker;
    if (this.isOpen && typed === "" && this.#typed === "") return;
    this.isOpen = true;
    this.#typed = typed;
    this.#active = -1;
    this.#options = [];
    this.#drawn = ""; // also where it is the same: there are no options now
    this.render();
    if (typed === "") this.#list.scrollTop = 0;
  }

  close() {
    this.isOpen = false;
    this.#drawn = "";
    this.#options = [];
    this.#list.hidden = true;
    this.#list.replaceChildren();
    this.#input.setAttribute("aria-expanded", "false");
    this.#input.removeAttribute("aria-activedescendant");
  }

  /** Show what has changed. */
  render() {
    if (!this.isOpen) return;
    const { roster, rules } = this.#chat.shown;
    const wanted = this.#typed;
    const state = `${roster.version} ${rules.version} ${wanted}`;
    if (state !== this.#drawn) {
      const { names, total } = roster.matching(wanted, SHOWN);
      const isNobody =
        wanted !== "" && !this.#picker.isAll(wanted) && roster.find(wanted) === undefined;
      this.#setOptions([
        ...(fold(this.#picker.everybody).includes(fold(wanted)) ? [null] : []),
        ...names,
        ...(isNobody ? [wanted] : []), // an account that is away can be written to
      ]);
      const drawn = this.#options.map((name, index) => this.#option(name, index));
      if (total > names.length) drawn.push(this.#remark(total - names.length));
      this.#list.replaceChildren(...drawn);
      this.#drawn = state;
    }
    this.#list.hidden = false;
    this.#input.setAttribute("aria-expanded", "true");
    this.#markActive();
  }

  /**
   * Move on in it, or back.
   * @param {number} step
   */
  move(step) {
    const count = this.#options.length;
    if (count === 0) return;
    this.#active = this.#active < 0 && step < 0 ? count - 1 : (this.#active + step + count) % count;
    this.#markActive();
  }

  /**
   * Change the options; who was about to be chosen stays so.
   * @param {(string | null)[]} options
   */
  #setOptions(options) {
    const active = this.option;
    this.#options = options;
    this.#active = active === undefined ? -1 : options.indexOf(active);
    if (this.#active >= 0 || this.#typed === "") return;
    // What was typed means everybody only if it says so: "an" is rather anna.
    const isPerson = options.length > 1 && options[0] === null && !this.#picker.isAll(this.#typed);
    this.#active = isPerson ? 1 : 0;
  }

  /**
   * @param {string | null} name
   * @param {number} index
   */
  #option(name, index) {
    const { roster } = this.#chat.lobby;
    const isAbsent = name !== null && roster.find(name) === undefined;
    const shown = name ?? this.#picker.everybody;
    const made = element(
      "li",
      "",
      element("span", name === null ? "everybody" : `name ${hue(name)}`, shown),
      name === null ? null : unlike(name, this.#chat.likeness, this.#texts),
      ...(name === null ? [] : tags(name, this.#chat, this.#texts)),
      isAbsent ? element("span", "tag", this.#texts.say("people.absent")) : null,
    );
    made.id = `recipient-${index}`;
    made.setAttribute("role", "option");
    made.setAttribute("aria-selected", String(name === this.#picker.value));
    made.dataset.index = String(index);
    return made;
  }

  /** @param {number} count */
  #remark(count) {
    const made = element("li", "remark", this.#texts.say("people.narrow", { count }));
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
}
