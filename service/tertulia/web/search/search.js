/** The dialog in which one looks for what was said, and goes there. */

import { element } from "../document/element.js";

/**
 * @import { Chat } from "../chat/chat.js"
 * @import { Place } from "../chat/past.js"
 * @import { PartAs } from "../dialogs/late.js"
 * @import { PastMessage } from "../session/frames.js"
 * @import { Texts } from "../texts/texts.js"
 */

export const MARKUP = `
<dialog id="search-dialog" class="wide" aria-labelledby="search-title">
  <div class="scrolled">
    <h2 id="search-title" data-text="head.search"></h2>
    <form id="search-form" class="searching" role="search">
      <input id="search-text" role="searchbox" inputmode="search" data-label="search.text" autocomplete="off"
             enterkeyhint="search" aria-describedby="search-hint" autofocus>
      <button class="primary" data-text="search.search"></button>
    </form>
    <p id="search-hint" class="hint" data-text="search.hint"></p>
    <p id="search-status" class="hint" role="status"></p>
    <ol id="found" class="found" data-label="search.results"></ol>
    <form method="dialog" class="choices">
      <button id="search-more" type="button" class="quiet" data-text="search.more" hidden></button>
      <button class="quiet" data-text="search.done"></button>
    </form>
  </div>
</dialog>
`;

/** Characters of a text to search for. */
export const MOST = 256;

export class Search {
  #dialog;
  #field;
  #list;
  #status;
  #more;
  #chat;
  #texts;
  #onSearch;
  #onMore;
  #shown = "";

  /**
   * `onSearch` is called with the text to search for, `onMore` to search further back, `onPick` with the
   * place of the message that was chosen.
   * @param {object} options
   * @param {PartAs} options.partAs
   * @param {Chat} options.chat
   * @param {Texts} options.texts
   * @param {(text: string) => void} options.onSearch
   * @param {() => void} options.onMore
   * @param {(place: Place) => void} options.onPick
   */
  constructor({ partAs, chat, texts, onSearch, onMore, onPick }) {
    const dialog = partAs("search-dialog", HTMLDialogElement);
    const form = partAs("search-form", HTMLFormElement);
    const field = partAs("search-text", HTMLInputElement);
    const list = partAs("found", HTMLElement);
    this.#dialog = dialog;
    this.#field = field;
    this.#list = list;
    this.#status = partAs("search-status", HTMLElement);
    this.#more = partAs("search-more", HTMLElement);
    this.#chat = chat;
    this.#texts = texts;
    this.#onSearch = onSearch;
    this.#onMore = onMore;
    field.maxLength = MOST;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#onSearch(field.value.trim().slice(0, MOST));
    });
    this.#more.addEventListener("click", () => this.#onMore());
    list.addEventListener("click", ({ target }) => {
      const button = target instanceof Element ? target.closest("button") : null;
      if (button === null) return;
      const { epoch = "", offset, index } = button.dataset;
      dialog.close();
      onPick({ epoch, offset: Number(offset), index: Number(index) });
    });
  }

  /**
   * Open it, to search for a text at once where there is one.
   * @param {string} text
   */
  open(text = "") {
    if (!this.#dialog.open) this.#dialog.showModal();
    if (text !== "") this.#field.value = text.slice(0, MOST);
    this.#field.select();
    if (text !== "") this.#onSearch(this.#field.value);
    this.render();
  }

  /** Show what has changed. */
  render() {
    const { past, name } = this.#chat.shown;
    const state = `${name} ${past.version}`;
    if (state === this.#shown) return;
    this.#shown = state;
    const { search } = past;
    const messages = search?.messages ?? [];
    const focused = document.activeElement?.closest("#found li");
    this.#list.replaceChildren(
      ...messages.map((it) => this.#item(it, search?.before?.epoch ?? "")).reverse(),
    );
    if (focused !== null && focused !== undefined) this.#list.querySelector("button")?.focus();
    this.#more.hidden =
      past.isSearching || search === null || search.isOver || messages.length === 0;
    const told = this.#told();
    if (this.#status.textContent !== told) this.#status.textContent = told;
  }

  #told() {
    const { search, isSearching, isTold } = this.#chat.shown.past;
    if (!isTold) return this.#texts.say("search.off");
    if (search === null) return "";
    const count = search.messages.length;
    if (isSearching) return this.#texts.say("search.searching");
    if (count > 0) return this.#texts.say("search.found", { count });
    return this.#texts.say(search.isOver ? "search.none" : "search.lost");
  }

  /**
   * @param {PastMessage} message
   * @param {string} epoch
   */
  #item({ offset, index, at, nickname, text = "" }, epoch) {
    const time = element("time", "", `${this.#texts.day(at)}, ${this.#texts.time(at)}`);
    time.dateTime = new Date(at).toISOString();
    const words = element("span", "text", text);
    words.dir = "auto";
    const button = element("button", "", element("span", "name", nickname), " ", time, " ", words);
    button.type = "button";
    Object.assign(button.dataset, { epoch, offset: String(offset), index: String(index) });
    return element("li", "", button);
  }
}
