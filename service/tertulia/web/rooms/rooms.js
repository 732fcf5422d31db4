/**
 * The further rooms on the page: a list of those that one is in, with what is unread in each, beside the log or below
 * a button where there is no space; and the keys that lead from one to the next.
 */

import { Menu } from "../dialogs/menu.js";
import { element } from "../document/element.js";

/**
 * @import { Chat } from "../chat/chat.js"
 * @import { Room } from "../chat/room.js"
 * @import { PartAs } from "../dialogs/late.js"
 * @import { Texts } from "../texts/texts.js"
 */

export const MARKUP = `
<nav id="rooms" class="menu rooms" data-label="head.rooms" popover hidden>
  <ul id="room-list"></ul>
  <button id="more-rooms" type="button" class="link" data-text="rooms.more"></button>
</nav>
<button id="rooms-button" type="button" class="quiet" popovertarget="rooms" aria-expanded="false"
        data-title="head.rooms" hidden></button>
<button id="part" type="button" role="menuitem" hidden></button>
<p id="rooms-news" class="unseen" role="status"></p>
`;

/** More than so many are not counted. */
const MOST = 99;

export class Rooms {
  #parts;
  #chat;
  #texts;
  /** @type {Map<Room, HTMLElement>} */
  #items = new Map();
  /** @type {Room} */
  #shown;
  /** What was unread when that was shown last. @type {Map<Room, number>} */
  #unread = new Map();
  /** Calls that were told. @type {WeakSet<object>} */
  #told = new WeakSet();

  /**
   * `onRoom` is called with the room that was chosen, `onPart` with that which is to be left, `onMore` where others
   * are looked for.
   * @param {object} options
   * @param {PartAs} options.partAs
   * @param {Chat} options.chat
   * @param {Texts} options.texts
   * @param {(room: Room) => void} options.onRoom
   * @param {(room: Room) => void} options.onPart
   * @param {() => void} options.onMore
   */
  constructor({ partAs, chat, texts, onRoom, onPart, onMore }) {
    const part = (/** @type {string} */ id) => partAs(id, HTMLElement);
    const nav = part("rooms");
    const list = part("room-list");
    const button = part("rooms-button");
    this.#parts = {
      chat: part("chat"),
      nav,
      list,
      button,
      part: part("part"),
      news: part("rooms-news"),
    };
    this.#chat = chat;
    this.#texts = texts;
    this.#shown = chat.lobby;
    document.querySelector("#chat > main")?.before(nav);
    part("topic").before(button);
    part("search-button").before(part("part"));
    new Menu({ button, list: nav });
    /** @param {Room} room */
    const go = (room) => {
      onRoom(room);
      // On a phone, where a keyboard would open over what is there to be read, nothing is written yet.
      if (!button.checkVisibility()) part("text").focus();
    };
    list.addEventListener("click", ({ target }) => {
      const item = target instanceof Element ? target.closest("li") : null;
      for (const [room, it] of this.#items) if (it === item) go(room);
    });
    part("part").addEventListener("click", () => onPart(chat.shown));
    part("more-rooms").addEventListener("click", onMore);
    addEventListener("keydown", (event) => {
      const { key, altKey, ctrlKey, metaKey, shiftKey } = event;
      const step = { ArrowUp: -1, ArrowDown: 1 }[key];
      const isAsked = step !== undefined && altKey && !ctrlKey && !metaKey && !shiftKey;
      const isBusy = event.defaultPrevented || document.querySelector("dialog[open]") !== null;
      if (!isAsked || isBusy) return;
      event.preventDefault();
      const { all } = chat;
      go(all[(all.indexOf(chat.shown) + step + all.length) % all.length] ?? chat.lobby);
    });
  }

  /** Show what has changed. */
  render() {
    const { all, shown } = this.#chat;
    const { chat, nav, list, button, part } = this.#parts;
    const isOne = all.length === 1;
    chat.classList.toggle("has-rooms", !isOne);
    nav.hidden = button.hidden = isOne;
    part.hidden = shown.sign === "";
    part.textContent = this.#texts.say("rooms.part", { room: shown.sign });
    for (const [room, item] of this.#items) {
      if (all.includes(room)) continue;
      item.remove();
      this.#items.delete(room);
    }
    for (const [index, room] of all.entries()) {
      const item = this.#items.get(room) ?? element("li", "", element("button", ""));
      this.#items.set(room, item);
      const there = list.children[index] ?? null;
      if (there !== item) list.insertBefore(item, there);
      const shownBy = /** @type {HTMLElement} */ (item.firstChild);
      shownBy.ariaCurrent = String(room === shown);
      this.#put(shownBy, room, [room]);
    }
    // What is unread in the room that is shown, the log tells.
    this.#put(
      button,
      shown,
      all.filter((it) => it !== shown),
    );
    this.#tell();
    this.#unread = new Map(all.map((it) => [it, it.reading.unread]));
  }

  /** Tell who hears the page which room is shown now, and of messages for the reader elsewhere. */
  #tell() {
    const { all, shown } = this.#chat;
    const { news } = this.#parts;
    if (shown !== this.#shown) {
      this.#shown = shown;
      const count = this.#unread.get(shown) ?? 0;
      const told = count > 0 ? `: ${this.#texts.say("log.new", { count })}` : "";
      news.textContent = this.#nameOf(shown) + told;
    }
    for (const room of all) {
      const { call } = room.reading;
      if (room === shown || call === null || this.#told.has(call)) continue;
      this.#told.add(call);
      news.textContent = room.callWords(this.#texts);
    }
  }

  /** @param {Room} room */
  #nameOf(room) {
    return room.sign || this.#texts.say("rooms.lobby");
  }

  /**
   * Put into a button the name of a room, and what is unread in some.
   * @param {HTMLElement} button
   * @param {Room} room
   * @param {Room[]} rooms
   */
  #put(button, room, rooms) {
    const unread = rooms.reduce((sum, { reading }) => sum + reading.unread, 0);
    const calls = rooms.reduce((sum, { reading }) => sum + reading.calls, 0);
    const state = `${room.name} ${unread} ${calls}`;
    if (button.dataset.drawn === state) return;
    button.dataset.drawn = state;
    const shown = calls > 0 ? `@${calls}` : unread > MOST ? `${MOST}+` : String(unread);
    const badge = element("span", calls > 0 ? "badge calls" : "badge", shown);
    badge.ariaHidden = "true";
    const words = [
      this.#texts.say("log.new", { count: unread }),
      ...(calls > 0 ? [this.#texts.say("rooms.calls", { count: calls })] : []),
    ];
    button.replaceChildren(
      element("span", "room", this.#nameOf(room)),
      ...(unread > 0 ? [badge, element("span", "unseen", `: ${words.join(", ")}`)] : []),
    );
  }
}
