/** What moderators have set in the room, and what the page says of it. */

import { fold } from "../session/frames.js";

/**
 * @import { ModerationEvent, Welcome } from "../session/frames.js"
 * @import { Values } from "../texts/phrases.js"
 * @import { Key } from "../texts/texts.js"
 */

/**
 * Something in the page's words.
 * @typedef {{ key: Key, values: Values }} Words
 * @typedef {{ nickname: string, reason: string, until: number, seconds: number, text: string, on: boolean }} AnyEvent
 */

/** The events that have a notice: by their names, with `_off` for what ends, and `_until` for what has an end. */
const TOLD = new Set([
  "muted",
  "unmuted",
  "kicked",
  "slow",
  "accounts_only",
  "topic",
  "moderator",
  "owner",
  "outsiders",
]);

export class Rules {
  /** Rises when somebody is muted, may speak again, becomes a moderator or is none any more. */
  version = 0;
  /** Whether it is known of everybody who is muted; else only what was told since one is here. */
  isMutesKnown = false;
  isModerator = false;
  topic = "";
  /** Seconds between two messages; 0: no slow mode. */
  slow = 0;
  accountsOnly = false;
  /** Whose account a further room is; empty for nobody's. */
  owner = "";
  /** Whether people who are not in the room may speak there. */
  outsiders = false;
  /**
   * Until when the reader may not speak, in milliseconds, 0 for good, and why; null where he may.
   * @type {{ until: number, because: string } | null}
   */
  mute = null;
  /** @type {Set<string>} */
  #moderators = new Set();
  /**
   * Until when, in milliseconds; 0: for good.
   * @type {Map<string, number>}
   */
  #mutes = new Map();

  /**
   * Take what a welcome says. A service of an earlier version says nothing of it.
   * @param {Welcome} frame
   */
  welcomed({ moderator = false, moderators = [], mutes, ...frame }) {
    const { topic = "", slow = 0, accounts_only = false, muted = false } = frame;
    const { owner = "", outsiders = false } = frame;
    const { muted_until: until = 0, muted_why = "" } = frame;
    this.mute = muted ? { until, because: because(muted_why) } : null;
    this.isModerator = moderator;
    this.topic = topic;
    this.slow = slow;
    this.accountsOnly = accounts_only;
    this.owner = owner;
    this.outsiders = outsiders;
    this.#moderators = new Set(moderators.map(fold));
    this.learnMutes(mutes ?? {});
    this.isMutesKnown = mutes !== undefined;
  }

  /**
   * Take what only moderators are told: of everybody who is muted, until when.
   * @param {Record<string, number>} mutes
   */
  learnMutes(mutes) {
    this.isMutesKnown = true;
    this.#mutes = new Map(Object.entries(mutes).map(([name, until]) => [fold(name), until]));
    this.version += 1;
  }

  /** @param {string} nickname */
  moderates(nickname) {
    return this.#moderators.has(fold(nickname));
  }

  /**
   * Whether somebody is known to be muted at a time, milliseconds since 1970.
   * @param {string} nickname
   * @param {number} now
   */
  isMuted(nickname, now) {
    const until = this.#mutes.get(fold(nickname));
    return until === 0 || (until !== undefined && until > now);
  }

  /**
   * Forget the mutes that have ended.
   * @param {number} now
   */
  lapse(now) {
    for (const [key, until] of this.#mutes) {
      if (until === 0 || until > now) continue;
      this.#mutes.delete(key);
      this.version += 1;
    }
  }

  /**
   * Return what keeps the reader from speaking to everybody at a time, milliseconds since 1970; null for
   * each that does not.
   * @param {boolean} isAccount
   * @param {number} now
   * @returns {{ mute: Words | null, slow: Words | null, accounts: Words | null }}
   */
  restraints(isAccount, now) {
    if (this.mute !== null && this.mute.until !== 0 && this.mute.until <= now) this.mute = null;
    const { mute, slow } = this;
    const until = mute?.until === 0 ? "" : "_until";
    return {
      mute: mute && { key: `rule.muted${until}`, values: mute },
      slow: slow > 0 && !this.isModerator ? { key: "rule.slow", values: { count: slow } } : null,
      accounts: this.accountsOnly && !isAccount ? { key: "rule.accounts_only", values: {} } : null,
    };
  }

  /**
   * Take an event, and return the notice for it; null where there is none. `isOwn`: it is about the reader.
   * @param {ModerationEvent} event
   * @param {boolean} isOwn
   * @returns {Words | null}
   */
  take(event, isOwn) {
    this.#obey(event, isOwn);
    if (!TOLD.has(event.type)) return null; // shown otherwise, or of a later version
    const {
      type,
      by,
      nickname: name,
      reason = "",
      until = 0,
      seconds,
      text,
      on,
    } = /** @type {Partial<AnyEvent> & { type: string, by: string }} */ (event);
    const isOff = on === false || [text, name].includes("") || seconds === 0;
    const key = /** @type {Key} */ (`notice.${type}${isOff ? "_off" : until > 0 ? "_until" : ""}`);
    return { key, values: { by, name, because: because(reason), until, count: seconds, text } };
  }

  /**
   * @param {ModerationEvent} event
   * @param {boolean} isOwn
   */
  #obey(event, isOwn) {
    switch (event.type) {
      case "muted":
        this.#mutes.set(fold(event.nickname), event.until);
        if (isOwn) this.mute = { until: event.until, because: because(event.reason) };
        break;
      case "unmuted":
        this.#mutes.delete(fold(event.nickname));
        if (isOwn) this.mute = null;
        break;
      case "slow":
        this.slow = event.seconds;
        break;
      case "accounts_only":
        this.accountsOnly = event.on;
        break;
      case "topic":
        this.topic = event.text;
        break;
      case "moderator":
        if (isOwn) {
          this.isModerator = event.on;
          // What others see of mutes one is told as well; for a moderator, all of them follow.
          this.isMutesKnown &&= event.on;
        }
        this.#moderators[event.on ? "add" : "delete"](fold(event.nickname));
        break;
      case "owner":
        this.owner = event.nickname;
        // Who has just made a room looks after it, and nobody is muted there.
        if (isOwn) this.isModerator = this.isMutesKnown = true;
        break;
      case "outsiders":
        this.outsiders = event.on;
        break;
    }
    this.version += 1;
  }
}

/** @param {string} reason */
function because(reason) {
  return reason === "" ? "" : `: ${reason}`;
}
