/** The dialog of all rooms: those that there are, to join or to go to; and a new one. */

import { element } from "../document/element.js";
import { roomNamed } from "./names.js";

/**
 * @import { Chat } from "../chat/chat.js"
 * @import { PartAs } from "../dialogs/late.js"
 * @import { Texts } from "../texts/texts.js"
 */

export const MARKUP = `
<dialog id="rooms-dialog" class="wide" aria-labelledby="rooms-title">
  <div class="scrolled">
    <h2 id="rooms-title" data-text="head.rooms"></h2>
    <form id="rooms-form" class="searching" autocomplete="off">
      <input id="rooms-text" data-label="rooms.text" maxlength="33" autocapitalize="none" autocorrect="off"
             spellcheck="false" enterkeyhint="go" aria-describedby="rooms-hint" autofocus>
      <button id="rooms-join" class="primary"></button>
    </form>
    <p id="rooms-hint" class="hint" role="status"></p>
    <ul id="rooms-found" class="found" data-label="rooms.others"></ul>
    <form method="dialog" class="choices"><button class="quiet" data-text="search.done"></button></form>
  </div>
</dialog>
`;

/** Rooms that are shown, at most. */
const SHOWN = 100;

export class RoomsDialog {
  #dialog;
  #field;
  #join;
  #hint;
  #list;
  #chat;
  #texts;
  #drawn = "";
  /** Whether it says that what is in the field is no name of a room. */
  #refused = false;

  /**
   * `onRoom` is called with the name of the room to go to; null is the lobby.
   * @param {object} options
   * @param {PartAs} options.partAs
   * @param {Chat} options.chat
   * @param {Texts} options.texts
   * @param {(name: string) => void} options.onRoom
   */
  constructor({ partAs, chat, texts, onRoom }) {
    const dialog = partAs("rooms-dialog", HTMLDialogElement);
    const field = partAs("rooms-text", HTMLInputElement);
    const list = partAs("rooms-found", HTMLElement);
    this.#dialog = dialog;
    this.#field = field;
    this.#join = partAs("rooms-join", HTMLButtonElement);
    this.#hint = partAs("rooms-hint", HTMLElement);
    this.#list = list;
    this.#chat = chat;
    this.#texts = texts;
    /** @param {string} name */
    const go = (name) => {
      dialog.close();
      onRoom(name);
    };
    field.addEventListener("input", () => {
      this.#refused = false;
      this.render();
    });
    partAs("rooms-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      const name = roomNamed(field.value.trim());
      if (name !== null) return go(name);
      this.#refused = true;
      this.#tell(this.#texts.say("rooms.invalid"), true);
    });
    list.addEventListener("click", ({ target }) => {
      const button = target instanceof Element ? target.closest("button") : null;
      if (button?.dataset.room !== undefined) go(button.dataset.room);
    });
  }

  /** Open it. */
  open() {
    this.#field.value = "";
    this.#refused = false;
    this.#drawn = "";
    if (!this.#dialog.open) this.#dialog.showModal();
    this.render();
  }

  /** Show what has changed. */
  render() {
    if (!this.#dialog.open) return;
    const { rooms, listed } = this.#chat;
    const typed = this.#field.value.trim().toLowerCase();
    const state = JSON.stringify([typed, listed, [...rooms.keys()]]);
    if (state === this.#drawn) return;
    this.#drawn = state;
    const name = roomNamed(typed);
    const isThere = name !== null && (rooms.has(name) || listed?.some((it) => it.room === name));
    const key = name === null || isThere ? "rooms.join" : "rooms.create";
    this.#join.textContent = this.#texts.say(key);
    const wanted = typed.replace(/^#/, "");
    const found = (listed ?? []).filter(({ room, topic }) => {
      return room.includes(wanted) || topic.toLowerCase().includes(wanted);
    });
    const focused = document.activeElement?.closest("#rooms-found button");
    const at = focused instanceof HTMLElement ? focused.dataset.room : undefined;
    this.#list.replaceChildren(...found.slice(0, SHOWN).map((it) => this.#item(it)));
    if (at !== undefined) this.#button(at)?.focus();
    if (!this.#refused) this.#tell(this.#told(found.length, name !== null && !isThere));
  }

  /**
   * @param {number} count
   * @param {boolean} isNew
   */
  #told(count, isNew) {
    if (this.#chat.listed === null) return this.#texts.say("rooms.asking");
    if (isNew) return this.#texts.say("rooms.new", { name: this.#field.value.trim() });
    if (count > SHOWN) return this.#texts.say("people.narrow", { count: count - SHOWN });
    return this.#texts.say(count === 0 ? "rooms.none" : "rooms.hint");
  }

  /** @param {string} name */
  #button(name) {
    const all = [...this.#list.querySelectorAll("button")];
    return all.find((it) => it.dataset.room === name);
  }

  /** @param {import("../session/frames.js").RoomInfo} room */
  #item({ room, members, topic }) {
    const isIn = this.#chat.rooms.has(room);
    const words = element("span", "text", topic);
    words.dir = "auto";
    const button = element(
      "button",
      "",
      element("span", "name", `#${room}`),
      " ",
      element("span", "hint", this.#texts.say("head.people", { count: members })),
      " ",
      isIn ? element("span", "tag", this.#texts.say("rooms.in")) : null,
      topic === "" ? null : words,
    );
    button.type = "button";
    button.dataset.room = room;
    return element("li", "", button);
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
