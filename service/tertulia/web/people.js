/** Who is in the room, beside the log where there is space for it. A click chooses the recipient. */

import { element, hue } from "./line.js";

/**
 * @import { Chat } from "./chat.js"
 * @import { Texts } from "./texts.js"
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
  /** @type {Map<string, HTMLElement>} */
  #items = new Map();

  /**
   * `onPick` is called with the nickname that was chosen.
   * @param {object} options
   * @param {HTMLElement} options.list
   * @param {HTMLElement} options.more
   * @param {Chat} options.chat
   * @param {Texts} options.texts
   * @param {(nickname: string) => void} options.onPick
   */
  constructor({ list, more, chat, texts, onPick }) {
    this.#list = list;
    this.#more = more;
    this.#chat = chat;
    this.#texts = texts;
    list.addEventListener("click", (event) => {
      if (!(event.target instanceof Element)) return;
      const nickname = event.target.closest("button")?.dataset.nickname;
      if (nickname !== undefined) onPick(nickname);
    });
    for (const left of ["pointerleave", "focusout"]) {
      list.addEventListener(left, () => setTimeout(() => this.render()));
    }
  }

  /** Show what has changed, unless somebody is about to choose: no name moves away under a finger. */
  render() {
    const { roster, nickname, isAdministrator } = this.#chat;
    const state = `${roster.version} ${nickname} ${isAdministrator}`;
    if (!this.#isWide.matches || state === this.#drawn) return;
    if (this.#drawn !== "" && this.#list.matches(":hover, :focus-within")) return;
    this.#drawn = state;
    const names = roster.sorted().slice(0, SHOWN);
    this.#arrange(names, nickname, isAdministrator ? nickname : roster.oldest);
    const count = roster.size - names.length;
    this.#more.hidden = count === 0;
    this.#more.textContent = this.#texts.say("people.more", { count });
  }

  /**
   * Put these names into the list, and touch only what is not there yet or not any more.
   * @param {string[]} names
   * @param {string} own
   * @param {string} administrator
   */
  #arrange(names, own, administrator) {
    const wanted = new Map();
    for (const name of names) {
      const key = `${name} ${name === own} ${name === administrator}`;
      wanted.set(
        key,
        this.#items.get(key) ?? this.#person(name, name === own, name === administrator),
      );
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
   * @param {boolean} isOwn
   * @param {boolean} isAdministrator
   */
  #person(name, isOwn, isAdministrator) {
    const button = element(
      "button",
      "",
      element("span", `name ${hue(name)}`, name),
      isOwn ? element("span", "tag", this.#texts.say("people.you")) : null,
      isAdministrator ? element("span", "tag", this.#texts.say("people.administrator")) : null,
    );
    button.type = "button";
    button.dataset.nickname = name;
    return element("li", "", button);
  }
}
