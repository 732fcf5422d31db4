/** What a moderator does from the page: to a person, to a message, to the room. */

import { element } from "../document/element.js";
import { walk } from "../log/walk.js";

/**
 * @import { Chat } from "../chat/chat.js"
 * @import { Room } from "../chat/room.js"
 * @import { Line, Numbered } from "../chat/transcript.js"
 * @import { Asking } from "../dialogs/asking.js"
 * @import { PartAs } from "../dialogs/late.js"
 * @import { Act } from "../session/frames.js"
 * @import { Texts } from "../texts/texts.js"
 */

export const MARKUP = `
<dialog id="room-dialog" aria-labelledby="room-title">
  <div class="scrolled">
    <h2 id="room-title" data-text="room.title"></h2>
    <form method="dialog">
      <div class="settings">
        <label class="setting"><span data-text="room.topic"></span>
          <input id="room-topic" maxlength="250" autocomplete="off" autofocus></label>
        <label class="setting"><span data-text="room.slow"></span>
          <select id="room-slow">
            <option value="0" data-text="room.slow_0"></option>
            <option value="5" data-text="room.slow_5"></option>
            <option value="30" data-text="room.slow_30"></option>
            <option value="300" data-text="room.slow_300"></option>
          </select></label>
        <label class="setting"><input id="room-accounts-only" type="checkbox">
          <span data-text="room.accounts_only"></span></label>
        <label id="room-owned" class="setting"><input id="room-outsiders" type="checkbox">
          <span data-text="room.outsiders"></span></label>
      </div>
      <div class="choices">
        <button class="quiet" value="" data-text="ask.cancel" formnovalidate></button>
        <button class="primary" value="save" data-text="room.save"></button>
      </div>
    </form>
  </div>
</dialog>
`;

/** Letters of a reason: even the longest of them fit into what the service takes. */
const REASON = 120;
/** Seconds of the mutes that are offered. */
const MUTES = Object.freeze({ mute_10m: 600, mute_1h: 3_600, mute_1d: 86_400 });

export class Moderating {
  #asking;
  #chat;
  #texts;
  #act;
  #room;
  /** The room whose settings are open. @type {Room | null} */
  #opened = null;

  /**
   * `act` is called with what is to be done.
   * @param {object} options
   * @param {Asking} options.asking
   * @param {Chat} options.chat
   * @param {Texts} options.texts
   * @param {(act: Act) => void} options.act
   * @param {PartAs} options.partAs
   */
  constructor({ asking, chat, texts, act, partAs }) {
    this.#asking = asking;
    this.#chat = chat;
    this.#texts = texts;
    this.#act = act;
    const scroller = partAs("scroller", HTMLElement);
    scroller.addEventListener("keydown", (event) => walk(event, scroller));
    const dialog = partAs("room-dialog", HTMLDialogElement);
    this.#room = {
      dialog,
      topic: partAs("room-topic", HTMLInputElement),
      slow: partAs("room-slow", HTMLSelectElement),
      accountsOnly: partAs("room-accounts-only", HTMLInputElement),
      owned: partAs("room-owned", HTMLElement),
      outsiders: partAs("room-outsiders", HTMLInputElement),
      title: partAs("room-title", HTMLElement),
    };
    dialog.addEventListener("close", () => {
      if (dialog.returnValue === "save" && chat.shown === this.#opened) this.#save();
    });
  }

  /**
   * Ask what to do with a person, and with the line that the name stands in; then do it. Returns whether
   * it is to write to them.
   * @param {string} nickname
   * @param {Numbered<Line> | null} line
   * @returns {Promise<boolean>}
   */
  async meet(nickname, line) {
    const { shown } = this.#chat;
    const { rules } = shown;
    const place = line?.kind === "said" && !line.isRedacted ? line.place : undefined;
    const isOwn = this.#chat.isOwn(nickname);
    if (!rules.isModerator || (isOwn && place === undefined)) return true;
    if (isOwn) {
      if (place && (await this.#isSure("redact", nickname))) this.#redact(place);
      return false;
    }
    const isMuted = rules.isMuted(nickname, Date.now());
    const appointing = rules.moderates(nickname) ? "dismiss" : "appoint";
    const reason = element("input", "");
    reason.maxLength = REASON;
    reason.autocomplete = "off";
    const answer = await this.#asking.choose({
      title: nickname,
      text: this.#texts.say("person.text"),
      field: element("label", "setting", this.#texts.say("person.reason"), reason),
      choices: {
        ...(this.#chat.isOwner ? { [appointing]: this.#texts.say(`person.${appointing}`) } : {}),
        ...(place === undefined ? {} : { redact: this.#texts.say("person.redact") }),
        kick: this.#texts.say("person.kick"),
        ...Object.fromEntries(
          Object.keys(MUTES).map((it) => [
            it,
            this.#texts.say(/** @type {any} */ (`person.${it}`)),
          ]),
        ),
        ...(isMuted || !rules.isMutesKnown ? { unmute: this.#texts.say("person.unmute") } : {}),
        whisper: this.#texts.say("person.whisper"),
      },
      cancel: this.#texts.say("ask.cancel"),
      isStill: () => rules.isModerator && this.#chat.shown === shown,
    });
    const words = reason.value.trim();
    if (answer === "whisper") return true;
    if (answer === appointing) this.#act({ action: appointing, nickname });
    else if (answer === "unmute") this.#act({ action: "unmute", nickname });
    else if (answer === "kick" && (await this.#isSure("kick", nickname))) {
      this.#act({ action: "kick", nickname, reason: words });
    } else if (answer === "redact" && place && (await this.#isSure("redact", nickname))) {
      this.#redact(place);
    } else if (answer !== null && Object.hasOwn(MUTES, answer)) {
      const seconds = MUTES[/** @type {keyof typeof MUTES} */ (answer)];
      this.#act({ action: "mute", nickname, seconds, reason: words });
    }
    return false;
  }

  /** @param {{ offset: number, index: number }} place */
  #redact({ offset, index }) {
    this.#act({ action: "redact", offset, index });
  }

  /** Open the room's settings. */
  openRoom() {
    const { dialog, title, topic, slow, accountsOnly, owned, outsiders } = this.#room;
    const { rules, sign } = this.#chat.shown;
    if (dialog.open) return;
    this.#opened = this.#chat.shown;
    title.textContent = sign || this.#texts.say("room.title");
    owned.hidden = !this.#chat.isOwner;
    outsiders.checked = rules.outsiders;
    topic.value = rules.topic;
    const seconds = String(rules.slow);
    if (![...slow.options].some((it) => it.value === seconds)) {
      slow.add(new Option(this.#texts.say("room.slow_seconds", { count: rules.slow }), seconds));
    }
    slow.value = seconds;
    accountsOnly.checked = rules.accountsOnly;
    dialog.returnValue = "";
    dialog.showModal();
  }

  #save() {
    const { topic, slow, accountsOnly, outsiders } = this.#room;
    const { rules } = this.#chat.shown;
    const text = topic.value.trim();
    if (text !== rules.topic) this.#act({ action: "topic", text });
    const seconds = Number(slow.value);
    if (seconds !== rules.slow) this.#act({ action: "slow", seconds });
    const on = accountsOnly.checked;
    if (on !== rules.accountsOnly) this.#act({ action: "accounts_only", on });
    const isOpen = outsiders.checked;
    if (isOpen !== rules.outsiders) this.#act({ action: "outsiders", on: isOpen });
  }

  /**
   * @param {"kick" | "redact"} what
   * @param {string} name
   */
  #isSure(what, name) {
    const { shown } = this.#chat;
    return this.#asking.ask({
      title: this.#texts.say(`person.${what}_title`, { name }),
      text: this.#texts.say(`person.${what}_text`, { name }),
      confirm: this.#texts.say(`person.${what}`),
      isGrave: true,
      isStill: () => this.#chat.shown === shown, // what is done is done in the room that is shown
    });
  }
}
