/** What is done to somebody: asked for with its length and its reason, done, and told. */

import { pathOf } from "../service/api.js";
import { secondsOf, spans } from "../views/view.js";

/**
 * @import { Key } from "../texts/words.js"
 * @import { Means } from "../views/view.js"
 */

/** Letters of a reason: even the longest of them fit into what the service takes. */
const REASON = 120;

export class Acts {
  #means;

  /** @param {Means} means */
  constructor(means) {
    this.#means = means;
  }

  /**
   * Mute somebody in a room. Returns whether it was done.
   * @param {string} room
   * @param {string} nickname
   */
  async mute(room, nickname) {
    const { api, texts, filling } = this.#means;
    const values = { name: nickname, room: titleOf(room, texts) };
    const given = await filling.ask({
      title: texts.say("mute.title", values),
      text: texts.say("mute.text", values),
      fields: {
        seconds: { kind: "choice", label: texts.say("mute.how_long"), choices: spans(texts) },
        reason: this.#reason("mute.reason_hint"),
      },
      confirm: texts.say("mute.do"),
    });
    if (given === null) return false;
    const seconds = secondsOf(given.seconds);
    const until = seconds === null ? null : Date.now() + seconds * 1000;
    return this.#done(
      () =>
        api.act("PUT", pathOf("rooms", room, "mutes", nickname), {
          seconds,
          reason: given.reason,
        }),
      until === null
        ? texts.say("mute.done", values)
        : texts.say("mute.done_until", { ...values, until }),
    );
  }

  /**
   * @param {string} room
   * @param {string} nickname
   */
  unmute(room, nickname) {
    const { api, texts } = this.#means;
    return this.#done(
      () => api.act("DELETE", pathOf("rooms", room, "mutes", nickname)),
      texts.say("unmute.done", { name: nickname, room: titleOf(room, texts) }),
    );
  }

  /**
   * Remove somebody from a room.
   * @param {string} room
   * @param {string} nickname
   */
  async kick(room, nickname) {
    const { api, texts, filling } = this.#means;
    const values = { name: nickname, room: titleOf(room, texts) };
    const given = await filling.ask({
      title: texts.say("kick.title", values),
      text: texts.say(room === "lobby" ? "kick.text_lobby" : "kick.text", values),
      fields: { reason: this.#reason("kick.reason_hint") },
      confirm: texts.say("kick.do"),
      isGrave: true,
    });
    if (given === null) return false;
    const path = pathOf("rooms", room, "people", nickname) + reasonIn(given.reason);
    return this.#done(() => api.act("DELETE", path), texts.say("kick.done", values));
  }

  /**
   * Keep somebody out of the chat; `address` is where they come from, where that is known.
   * @param {{ nickname?: string, address?: string | null }} whom
   */
  async ban({ nickname = "", address = null }) {
    const { api, texts, filling } = this.#means;
    const isKnown = nickname !== "";
    const kinds = /** @type {const} */ (["nickname", "account", "address"]);
    const offered = kinds.filter((it) => !isKnown || it !== "address" || address);
    /** @type {(it: string) => string} */
    const words = (it) => {
      const subject = it === "address" ? address : nickname;
      const key = /** @type {Key} */ (isKnown ? `ban.the_${it}` : `ban.${it}`);
      return texts.say(key, { name: subject });
    };
    const fields = {
      kind: /** @type {const} */ ({
        kind: "choice",
        label: texts.say("ban.kind"),
        choices: Object.fromEntries(offered.map((it) => [it, words(it)])),
      }),
      seconds: /** @type {const} */ ({
        kind: "choice",
        label: texts.say("ban.how_long"),
        choices: spans(texts),
      }),
      reason: this.#reason("ban.reason_hint"),
    };
    const subject = /** @type {const} */ ({
      kind: "text",
      label: texts.say("ban.subject"),
      hint: texts.say("ban.subject_hint"),
      isRequired: true,
      most: 64,
    });
    const given = await filling.ask({
      title: isKnown ? texts.say("ban.title", { name: nickname }) : texts.say("ban.new"),
      text: texts.say("ban.text"),
      fields: isKnown
        ? fields
        : { kind: fields.kind, subject, seconds: fields.seconds, reason: fields.reason },
      confirm: texts.say("ban.do"),
      isGrave: true,
    });
    if (given === null) return false;
    const known = given.kind === "address" ? (address ?? "") : nickname;
    const whom = "subject" in given ? String(given.subject) : known;
    const body = { seconds: secondsOf(given.seconds), reason: given.reason };
    return this.#done(
      () => api.act("PUT", pathOf("bans", given.kind, whom), body),
      texts.say("ban.done", { name: whom }),
    );
  }

  /**
   * Withdraw a message.
   * @param {string} room
   * @param {string} place
   * @param {string} nickname
   */
  async redact(room, place, nickname) {
    const { api, texts, filling } = this.#means;
    const given = await filling.ask({
      title: texts.say("redact.title", { name: nickname }),
      text: texts.say("redact.text"),
      fields: { reason: this.#reason("redact.reason_hint") },
      confirm: texts.say("redact.do"),
      isGrave: true,
    });
    if (given === null) return false;
    const path = pathOf("rooms", room, "messages", place) + reasonIn(given.reason);
    return this.#done(() => api.act("DELETE", path), texts.say("redact.done", { name: nickname }));
  }

  /** @param {Key} hint */
  #reason(hint) {
    const { texts } = this.#means;
    return /** @type {const} */ ({
      kind: "text",
      label: texts.say("field.reason"),
      hint: texts.say(hint),
      most: REASON,
    });
  }

  /**
   * @param {() => Promise<unknown>} work
   * @param {string} told
   */
  async #done(work, told) {
    const answer = await this.#means.news.of(
      async () => {
        await work();
        return true;
      },
      () => told,
    );
    return answer === true;
  }
}

/**
 * Return what a room is called for people.
 * @param {string} room
 * @param {{ say: (key: "room.lobby") => string }} texts
 */
export function titleOf(room, texts) {
  return room === "lobby" ? texts.say("room.lobby") : `#${room}`;
}

/** @param {string} reason */
function reasonIn(reason) {
  return reason === "" ? "" : `?reason=${encodeURIComponent(reason)}`;
}
