/** What the page's title and icon say of what is unread, for who looks at another page. */

/**
 * @import { Chat } from "../chat/chat.js"
 * @import { Texts } from "../texts/texts.js"
 */

const NAME = "Tertulia";

export class Title {
  #icon;
  #texts;

  /**
   * `icon` is the document's link to its icon.
   * @param {{ icon: HTMLLinkElement, texts: Texts }} options
   */
  constructor({ icon, texts }) {
    this.#icon = icon;
    this.#texts = texts;
  }

  /**
   * Show where one is, and what is unread in all rooms; null is nothing, as one is not in the chat.
   * @param {Chat | null} chat
   */
  show(chat) {
    const all = chat?.all ?? [];
    const unread = all.reduce((sum, { reading }) => sum + reading.unread, 0);
    const calls = all.reduce((sum, { reading }) => sum + reading.calls, 0);
    const title = chat === null ? NAME : this.#titleOf(chat, unread);
    if (document.title === title) return;
    document.title = title;
    const kind = calls > 0 ? "-call" : unread > 0 ? "-unread" : "";
    const icon = `icon${kind}.svg`;
    if (this.#icon.getAttribute("href") !== icon) this.#icon.href = icon;
    // A page that is installed as an app has a badge: it counts what is meant for its reader. 0 takes it away.
    navigator.setAppBadge?.(calls).catch(() => {});
  }

  /**
   * @param {Chat} chat
   * @param {number} unread
   */
  #titleOf({ all, shown }, unread) {
    const room = all.find((it) => it.reading.call !== null);
    const told = room?.callWords(this.#texts) || shown.sign;
    const count = unread === 0 ? "" : `(${unread}) `;
    return `${count}${told}${told && " · "}${NAME}`;
  }
}
