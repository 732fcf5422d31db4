/**
 * What one member knows of the chat: who is there, what was said, what became of one's own messages.
 *
 * It takes the frames that a member gets, and knows nothing of connections but that they end.
 */

import { fold } from "./frames.js";
import { Outbox } from "./outbox.js";
import { Repeats } from "./repeats.js";
import { Roster } from "./roster.js";
import { Transcript } from "./transcript.js";

/**
 * @import { Frame, Position, RoomEvent } from "./frames.js"
 * @import { Entry } from "./outbox.js"
 * @import { Key, Values } from "./texts.js"
 * @import { Fate } from "./transcript.js"
 */

export class Chat {
  roster = new Roster();
  transcript = new Transcript();
  outbox = new Outbox();
  nickname = "";
  isAdministrator = false;
  /**
   * From where to go on after a lost connection, `{epoch, offset}`; null before the first welcome.
   * @type {Position | null}
   */
  position = null;
  /**
   * Who has closed the chat, or null.
   * @type {string | null}
   */
  closer = null;
  /** Private messages that have come and were not confirmed. */
  unconfirmed = 0;

  /** @type {Position} */
  #welcomedAt = { epoch: "", offset: 0 };
  /** @type {Position} */
  #seen = { epoch: "", offset: 0 };
  #repeats = new Repeats();

  // --- Coming and going --------------------------------------------------------------------------

  /**
   * Take a first welcome.
   * @param {Frame<"welcome">} frame
   * @param {number} now
   */
  entered(frame, now) {
    this.#seat(frame);
    this.position = this.#welcomedAt;
    this.#seen = this.position;
    const key = this.isAdministrator ? "notice.first" : "notice.entered";
    this.#notice(key, now, { name: frame.nickname });
  }

  /**
   * Take the welcome to a session that is resumed.
   * @param {Frame<"welcome">} frame
   * @param {number} now
   */
  resumed(frame, now) {
    const wasAdministrator = this.isAdministrator;
    this.#seat(frame);
    // What was missed is still to come: until it does, one goes on from the old position.
    if (frame.missed !== "nothing") {
      this.position = this.#welcomedAt;
      this.#notice("notice.missed", now, {}, true);
    }
    const { unanswered, unsure } = this.outbox.resumed(frame.done, frame.resumed !== false);
    for (const entry of unanswered) this.#keep(entry, now, "unanswered");
    for (const entry of unsure) this.#fail(entry, now, "unsure");
    if (this.isAdministrator !== wasAdministrator) {
      this.#notice(this.isAdministrator ? "notice.administrator" : "notice.no_administrator", now);
    }
  }

  /** Note that the connection is gone. */
  interrupted() {
    this.outbox.interrupted();
    this.#repeats.interrupted();
    this.unconfirmed = 0;
  }

  /**
   * Note that this is no member any more; what is in the log stays.
   * @param {number} now
   */
  ended(now) {
    this.interrupted();
    for (const entry of this.outbox.end()) this.#fail(entry, now, "ended");
    this.#repeats = new Repeats();
    this.position = null;
    this.closer = null;
    this.isAdministrator = false;
    this.roster.reset([]);
  }

  /**
   * Give up waiting for the own copies of messages that are known to be in the log.
   * @param {number} now
   */
  giveUpCopies(now) {
    for (const entry of this.outbox.takeDone()) this.#keep(entry, now, "sent");
  }

  // --- The room's events -------------------------------------------------------------------------

  /**
   * Take an `events` frame.
   * @param {Frame<"events">} frame
   */
  happened({ epoch, offset, at, events }) {
    if (epoch === this.#seen.epoch && offset < this.#seen.offset) return;
    // The welcome told the members as they are at its place: what came before doesn't change them.
    const isPast = epoch === this.#welcomedAt.epoch && offset < this.#welcomedAt.offset;
    for (const event of events) this.#take(event, at, isPast);
    this.position = { epoch, offset };
    this.#seen = this.position;
  }

  /**
   * Take a `missed` frame: the service lost a part, up to a place, and goes on from there.
   * @param {Frame<"missed">} frame
   * @param {number} now
   */
  missed({ epoch, offset }, now) {
    this.#notice("notice.gap", now, {}, true);
    this.position = { epoch, offset };
    this.#seen = this.position;
  }

  /**
   * @param {RoomEvent} event
   * @param {number} at
   * @param {boolean} isPast
   */
  #take(event, at, isPast) {
    switch (event.type) {
      case "said": {
        const { nickname, text } = event;
        const own = this.#isOwn(nickname);
        if (own) this.outbox.heard(text);
        this.transcript.add({ kind: "said", at, nickname, text, own });
        break;
      }
      case "joined":
        if (this.#isOwn(event.nickname)) break; // of a connection before this one
        if (!isPast) this.roster.add(event.nickname);
        this.transcript.came(event.nickname, at);
        break;
      case "left":
        if (this.#isOwn(event.nickname)) break; // the same
        if (!isPast) this.roster.remove(event.nickname);
        this.transcript.went(event.nickname, at);
        break;
      case "administrator":
        if (isPast || this.isAdministrator) break;
        this.isAdministrator = true;
        this.#notice("notice.administrator", at);
        break;
      case "closed": {
        const key = this.#isOwn(event.nickname) ? "ended.closed_by_you" : "ended.closed";
        this.#notice(key, at, { name: event.nickname }, true);
        if (!isPast) this.closer = event.nickname;
        break;
      }
    }
  }

  // --- Private messages --------------------------------------------------------------------------

  /**
   * Take a private message.
   * @param {Frame<"whispered">} frame
   */
  whispered({ from, text, at }) {
    this.unconfirmed += 1;
    if (this.#repeats.isRepeat(JSON.stringify([at, from, text]))) return;
    if (this.#isOwn(from)) return; // a note to oneself is in the log as sent
    const to = this.nickname;
    this.transcript.add({ kind: "whispered", at, nickname: from, to, text, own: false });
  }

  /**
   * Take the news that a private message that was sent could not be delivered.
   * @param {Frame<"undelivered">} frame
   * @param {number} now
   */
  undelivered({ to, text }, now) {
    const line = this.transcript.findLast(
      (it) =>
        it.kind === "whispered" &&
        it.own &&
        it.state !== "undelivered" &&
        it.text === text &&
        fold(it.to) === fold(to),
    );
    if (line?.kind === "whispered") {
      line.state = "undelivered";
      this.transcript.touch(line);
    }
    this.#notice("notice.undelivered", now, { name: to, text }, true);
  }

  // --- Answers -----------------------------------------------------------------------------------

  /**
   * Take `sent` or `kept`: a message is in the log, or with its recipient's node, or waits for them.
   * @param {Frame<"sent" | "kept">} frame
   * @param {number} now
   */
  kept({ id, type }, now) {
    const entry = this.outbox.answered(id, true);
    // The own copy of a public message comes before this answer, and is in the log by now.
    if (entry !== undefined && entry.state !== "seen") this.#keep(entry, now, type);
  }

  /**
   * Take `failed`.
   * @param {Frame<"failed">} frame
   * @param {number} now
   */
  failed({ id, reason }, now) {
    const entry = this.outbox.answered(id, false);
    if (entry !== undefined) this.#fail(entry, now, reason);
  }

  /**
   * Take `forbidden`.
   * @param {number} now
   */
  forbidden(now) {
    this.outbox.answeredNext();
    this.#notice("notice.forbidden", now, {}, true);
  }

  /**
   * Take `slowed`: what one writes is passed on more slowly for a while.
   * @param {number} now
   */
  slowed(now) {
    this.#notice("notice.slowed", now, {}, true);
  }

  /**
   * Take `error`: it answers what is next to be answered.
   * @param {Frame<"error">} frame
   * @param {number} now
   */
  erred({ reason }, now) {
    const entry = this.outbox.answeredNext();
    if (entry === null) this.#notice("notice.error", now, { reason }, true);
    else this.#fail(entry, now, "error", reason);
  }

  // --- A page that is loaded again ---------------------------------------------------------------

  /** Return what another page needs to go on with this; the log is not in it. */
  snapshot() {
    const { nickname, isAdministrator, position } = this;
    const outbox = this.outbox.snapshot();
    return { nickname, isAdministrator, position, outbox, repeats: this.#repeats.snapshot() };
  }

  /**
   * Go on with what another page had.
   * @param {ReturnType<Chat["snapshot"]>} saved
   */
  restore(saved) {
    this.nickname = saved.nickname;
    this.isAdministrator = saved.isAdministrator;
    this.position = saved.position;
    if (saved.position !== null) this.#seen = saved.position;
    this.outbox.restore(saved.outbox);
    this.#repeats.restore(saved.repeats);
  }

  // --- Helpers -----------------------------------------------------------------------------------

  /** @param {Frame<"welcome">} frame */
  #seat({ nickname, members, epoch, offset }) {
    this.nickname = nickname;
    this.#welcomedAt = { epoch, offset };
    this.roster.reset(members);
    this.isAdministrator = this.#isOwn(this.roster.oldest);
  }

  /** @param {string} nickname */
  #isOwn(nickname) {
    return fold(nickname) === fold(this.nickname);
  }

  /**
   * @param {Entry} entry
   * @param {number} at
   * @param {Fate} state
   */
  #keep({ to, text }, at, state) {
    const { nickname } = this;
    if (to === null) this.transcript.add({ kind: "said", at, nickname, text, own: true });
    else this.transcript.add({ kind: "whispered", at, nickname, to, text, own: true, state });
  }

  /**
   * @param {Entry} entry
   * @param {number} at
   * @param {string} reason
   */
  #fail({ to, text }, at, reason, detail = "") {
    const { nickname } = this;
    this.transcript.add({ kind: "failed", at, nickname, to, text, reason, detail, own: true });
  }

  /**
   * @param {Key} key
   * @param {number} at
   * @param {Values} values
   */
  #notice(key, at, values = {}, grave = false) {
    this.transcript.add({ kind: "notice", at, key, values, grave });
  }
}
