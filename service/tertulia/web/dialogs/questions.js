/** What few people are asked: whether the whole chat is to be closed, or one comes in under another name. */

/**
 * @import { Session } from "../session/session.js"
 * @import { Texts } from "../texts/texts.js"
 * @import { Asking } from "./asking.js"
 */

export class Questions {
  #asking;
  #session;
  #texts;

  /** @param {{ asking: Asking, session: Session, texts: Texts }} options */
  constructor({ asking, session, texts }) {
    this.#asking = asking;
    this.#session = session;
    this.#texts = texts;
  }

  /** Ask whether to close the chat. */
  toClose() {
    const { chat } = this.#session;
    return this.#asking.ask({
      title: this.#texts.say("close.title"),
      text: this.#texts.say("close.text", { count: chat.lobby.roster.size }),
      confirm: this.#texts.say("close.confirm"),
      cancel: this.#texts.say("close.cancel"),
      isGrave: true,
      isStill: () => chat.isAdministrator && this.#session.state === "inside",
    });
  }

  /**
   * Ask whether to come in under another name.
   * @param {string} name
   */
  toRename(name) {
    const own = this.#session.chat.nickname;
    return this.#asking.ask({
      title: this.#texts.say("rename.title", { name }),
      text: this.#texts.say("rename.text", { name, own }),
      confirm: this.#texts.say("rename.confirm", { name }),
      isStill: () => this.#session.state === "inside",
    });
  }
}
