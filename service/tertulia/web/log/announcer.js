/** What a screen reader says of the log: every line, or in a flood how many there were. */

import { Pace } from "./pace.js";

/**
 * @import { Chat } from "../chat/chat.js"
 * @import { Log } from "./log.js"
 * @import { Texts } from "../texts/texts.js"
 */

export class Announcer {
  #list;
  #status;
  #log;
  #chat;
  #texts;
  #pace = new Pace();
  #transcript;
  #seenLines = 0;
  #seenMessages = 0;

  /**
   * `list` is the live region that holds the lines, `status` a hidden one for summaries.
   * @param {{ list: HTMLElement, status: HTMLElement, log: Log, chat: Chat, texts: Texts }} options
   */
  constructor({ list, status, log, chat, texts }) {
    this.#list = list;
    this.#status = status;
    this.#log = log;
    this.#chat = chat;
    this.#texts = texts;
    this.#transcript = chat.lobby.transcript;
  }

  /**
   * Decide about what has come; to be called before it is shown. Returns whether to call again.
   * @param {number} now
   */
  render(now) {
    const { transcript } = this.#chat.shown;
    const { end, messages } = transcript;
    // What stands in another room is no news.
    const isTurned = transcript !== this.#transcript;
    if (isTurned) {
      this.#transcript = transcript;
      this.#seenLines = end;
      this.#seenMessages = messages;
    }
    this.#pace.came(end - this.#seenLines, now);
    // Who reads further up gets older lines fetched, and those are no news.
    const isQuiet = isTurned || this.#pace.isFlood || !this.#log.isFollowing;
    const live = isQuiet ? "off" : "polite";
    if (this.#list.getAttribute("aria-live") !== live) this.#list.setAttribute("aria-live", live);
    if (isQuiet) this.#pace.skipped(messages - this.#seenMessages);
    this.#seenLines = end;
    this.#seenMessages = messages;
    const count = this.#pace.summary(now);
    if (count > 0) this.#status.textContent = this.#texts.say("log.new", { count });
    return isQuiet;
  }
}
