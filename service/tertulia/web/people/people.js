/** Who is in the room, beside the log where there is space for it. A click chooses the recipient. */

import { element } from "../document/element.js";
import { avatar, hue, unlike } from "../log/line.js";
import { tags } from "./tags.js";

/**
 * @import { Chat } from "../chat/chat.js"
 * @import { Room } from "../chat/room.js"
 * @import { Texts } from "../texts/texts.js"
 */

/** Names that are shown, at most. */
const SHOWN = 200;

export class People {
  #list;
  #more;
  #chat;
  #texts;
  #isWide = matchMedia("(min-width: 60rem)");
  #drawn = "";
  /** @type {Room | null} */
  #shown = null;
  /** @type {Map<string, HTMLElement>} */
  #items = new Map();

  /**
   * `onName` is called with the nickname that was clicked, and its button.
   * @param {object} options
   * @param {HTMLElement} options.list
   * @param {HTMLElement} options.more
   * @param {Chat} options.chat
   * @param {Texts} options.texts
   * @param {(nickname: string, button: HTMLElement) => void} options.onName
   */
  constructor({ list, more, chat, texts, onName }) {
    this.#list = list;
    this.#more = more;
    this.#chat = chat;
    this.#texts = texts;
    list.addEventListener("click", (event) => {
      if (!(event.target instanceof Element)) return;
      const button = event.target.closest("button");
      if (button?.dataset.nickname !== undefined) onName(button.dataset.nickname, button);
    });
    for (const left of ["pointerleave", "focusout"]) {
      list.addEventListener(left, () => setTimeout(() => this.render()));
    }
    this.#isWide.addEventListener("change", () => this.render());
  }

  /** Show what has changed where there is space for it, unless somebody is about to choose: no name moves away under a finger. */
  render() {
    const { shown, nickname, isAdministrator } = this.#chat;
    const { roster, rules } = shown;
    const isWide = this.#isWide.matches;
    const isTurned = shown !== this.#shown;
    const state = `${isWide} ${roster.version} ${rules.version} ${nickname} ${isAdministrator}`;
    if (state === this.#drawn && !isTurned) return;
    if (this.#drawn !== "" && !isTurned && this.#list.matches(":hover, :focus-within")) return;
    this.#drawn = state;
    this.#shown = shown;
    const names = isWide ? roster.sorted().slice(0, SHOWN) : [];
    this.#arrange(names);
    const count = roster.size - names.length;
    this.#more.hidden = count === 0;
    this.#more.textContent = this.#texts.say("people.more", { count });
  }

  /**
   * Put these names into the list, and touch only what is not there yet or not any more.
   * @param {string[]} names
   */
  #arrange(names) {
    const wanted = new Map();
    for (const name of names) {
      const other = this.#chat.likeness.other(name);
      const said = tags(name, this.#chat, this.#texts);
      const key = `${name} ${other} ${said.map((it) => it.textContent)}`;
      wanted.set(key, this.#items.get(key) ?? this.#person(name, said));
    }
    for (const [key, item] of this.#items) if (!wanted.has(key)) item.remove();
    this.#items = wanted;
    let place = this.#list.firstChild;
    for (const item of wanted.values()) {
      if (item === place) place = item.nextSibling;
      else this.#list.insertBefore(item, place);
    }
  }

  /**
   * @param {string} name
   * @param {HTMLElement[]} said
   */
  #person(name, said) {
    const button = element(
      "button",
      "",
      avatar(name),
      element("span", `name ${hue(name)}`, name),
      unlike(name, this.#chat.likeness, this.#texts),
      ...said,
    );
    button.type = "button";
    button.dataset.nickname = name;
    return element("li", "", button);
  }
}
