/**
 * One room as a member knows it, the chat's lobby or a further one: who is in it, what was said there, what became
 * of one's own messages.
 *
 * What all rooms share, as one's name, is the chat's. A private message is in the log of the room that was shown.
 */

import { Outbox } from "./outbox.js";
import { isBefore, Past } from "./past.js";
import { Reading } from "./reading.js";
import { Roster } from "./roster.js";
import { Rules } from "./rules.js";
import { isNamed } from "./spans.js";
import { Transcript } from "./transcript.js";

/**
 * @import { Frame, Message, ModerationEvent, PastMessage, Position, RoomEvent, Welcome } from "../session/frames.js"
 * @import { Draft, Talk } from "../session/memory.js"
 * @import { Chat } from "./chat.js"
 * @import { Entry } from "./outbox.js"
 * @import { Place } from "./past.js"
 * @import { Values } from "../texts/phrases.js"
 * @import { Key, Texts } from "../texts/texts.js"
 * @import { Fate, Said } from "./transcript.js"
 */

export class Room {
  roster = new Roster();
  transcript = new Transcript();
  past = new Past();
  rules = new Rules();
  reading = new Reading();
  outbox;
  /** Without its sign; empty for the lobby. */
  name;
  /** Whether the service has said, on this connection, that one is in. */
  isIn = false;
  /**
   * From where to go on after a lost connection, `{epoch, offset}`; null before the first welcome.
   * @type {Position | null}
   */
  position = null;
  /**
   * The number of the first message that came while one was away, until the page has marked it.
   * @type {number | null}
   */
  newSince = null;
  /**
   * What is being written here, while another room is shown.
   * @type {Draft}
   */
  draft = { to: null, text: "" };

  #chat;
  /** @type {Position} */
  #welcomedAt = { epoch: "", offset: 0 };
  /** @type {Position} */
  #seen = { epoch: "", offset: 0 };
  /**
   * The place of the last public message that is known.
   * @type {Place | null}
   */
  #last = null;
  /** What is said on entering, once what was said before is shown. @type {(() => void) | null} */
  #greeting = null;

  /**
   * @param {Chat} chat
   * @param {string} name
   * @param {{ next: number }} ids
   */
  constructor(chat, name, ids) {
    this.#chat = chat;
    this.name = name;
    this.outbox = new Outbox(ids);
  }

  /** How it is written; the lobby has no such name. */
  get sign() {
    return this.name && `#${this.name}`;
  }

  /** What a frame says that is of this room. */
  get address() {
    return this.name === "" ? {} : { room: this.name };
  }

  /**
   * Return the words for a message that is for the reader, the last one: who wrote or mentioned the reader, and where.
   * Empty where there is none.
   * @param {Texts} texts
   */
  callWords(texts, call = this.reading.call) {
    if (call === null) return "";
    const { kind, nickname: name } = call;
    const key =
      kind === "whispered" ? "call.whispered" : this.name ? "call.named_in" : "call.named";
    return texts.say(key, { name, room: this.sign });
  }

  // --- Coming and going --------------------------------------------------------------------------

  /**
   * Take a welcome, the first one or to go on.
   * @param {Position & Welcome} frame
   * @param {number} now
   */
  welcomed(frame, now) {
    const isBack = this.position !== null;
    const { members, epoch, offset } = frame;
    this.past.welcomed(frame, this.#oldest(), this.#isFromBeginning());
    this.isIn = true;
    this.#welcomedAt = { epoch, offset };
    this.rules.welcomed(frame);
    this.roster.reset(members);
    for (const it of members) this.#chat.likeness.see(it);
    if (isBack) this.#resumed(frame, now);
    else this.#entered(now);
  }

  /** @param {number} now */
  #entered(now) {
    this.position = this.#welcomedAt;
    this.#seen = this.position;
    const { nickname: name, isAdministrator } = this.#chat;
    const key = this.name ? "notice.in_room" : isAdministrator ? "notice.first" : "notice.entered";
    const greeting = () => this.notice(key, now, { name, room: this.sign });
    if (this.past.isTold) this.#greeting = greeting;
    else greeting();
  }

  /**
   * @param {Position & Welcome} frame
   * @param {number} now
   */
  #resumed(frame, now) {
    // What was missed is still to come: until it does, one goes on from the old position.
    if (frame.missed !== "nothing") {
      this.position = this.#welcomedAt;
      this.notice("notice.missed", now, {}, true);
    }
    const isKnown = frame.resumed !== false;
    const { unanswered, refused, unsure } = this.outbox.resumed(frame.done, frame.refused, isKnown);
    for (const entry of unanswered) this.#keep(entry, now, "unanswered");
    for (const entry of refused) this.#fail(entry, now, "refused");
    for (const entry of unsure) this.#fail(entry, now, "unsure");
  }

  /** Note that the connection is gone. */
  interrupted() {
    this.isIn = false;
    this.outbox.interrupted();
    this.past.interrupted();
    this.#greet();
  }

  /**
   * Note that one is not in it any more; what is in the log stays.
   * @param {number} now
   */
  ended(now) {
    this.interrupted();
    for (const entry of this.outbox.end()) this.#fail(entry, now, "ended");
    this.past.ended();
    this.position = null;
    this.roster.reset([]);
  }

  /** Take everything off the log: who comes in next reads what a newcomer does. */
  clear() {
    this.transcript.clear();
    this.#last = null;
    this.newSince = null;
    this.draft = { to: null, text: "" };
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
  happened({ epoch, offset, at, events, first = 0 }) {
    if (!this.isIn || (epoch === this.#seen.epoch && offset < this.#seen.offset)) return;
    // The welcome told the members as they are at its place: what came before doesn't change them.
    const isPast = epoch === this.#welcomedAt.epoch && offset < this.#welcomedAt.offset;
    let index = first;
    for (const event of events) {
      this.#take(event, at, isPast, { epoch, offset, index });
      if (event.type === "said") index += 1;
    }
    this.position = { epoch, offset };
    this.#seen = this.position;
  }

  /**
   * Take a `missed` frame: the service lost a part, up to a place, and goes on from there.
   * @param {Frame<"missed">} frame
   * @param {number} now
   */
  missed({ epoch, offset }, now) {
    this.notice("notice.gap", now, {}, true);
    this.position = { epoch, offset };
    this.#seen = this.position;
  }

  /**
   * @param {RoomEvent} event
   * @param {number} at
   * @param {boolean} isPast
   * @param {Place} place of a message, if it is one
   */
  #take(event, at, isPast, place) {
    switch (event.type) {
      case "said": {
        const { nickname, text } = event;
        const own = this.#chat.isOwnMessage(event);
        if (own && this.#chat.isOfThisPage(event)) this.outbox.heard(text, event.id);
        if (this.#isKnown(place)) break; // it was among what was said before
        this.#last = place;
        const isCall = !own && isNamed(text, this.#chat.nickname);
        const said = { nickname, text, own, place, isNamed: isCall };
        const line = this.transcript.add({ kind: "said", at, ...said });
        if (isPast && !own) this.newSince ??= line.seq;
        break;
      }
      case "joined":
        if (this.#chat.isOwn(event.nickname)) break; // of a connection before this one
        if (!isPast) this.roster.add(event.nickname);
        this.#chat.likeness.see(event.nickname);
        this.transcript.came(event.nickname, at);
        break;
      case "left":
        if (this.#chat.isOwn(event.nickname)) break; // the same
        if (!isPast) this.roster.remove(event.nickname);
        this.transcript.went(event.nickname, at);
        break;
      case "administrator":
        if (isPast || this.#chat.isAdministrator) break;
        this.#chat.isAdministrator = true;
        this.notice("notice.administrator", at);
        break;
      case "mutes":
        this.rules.learnMutes(event.mutes);
        break;
      case "closed": {
        this.notice(this.#chat.closing(event.nickname), at, { name: event.nickname }, true);
        if (!isPast) this.#chat.closer = event.nickname;
        break;
      }
      default:
        this.#moderated(event, at, place.epoch);
    }
  }

  /**
   * @param {ModerationEvent} event
   * @param {number} at
   * @param {string} epoch
   */
  #moderated(event, at, epoch) {
    if (event.type === "redacted") {
      const { offset, index } = event;
      this.past.withdraw({ epoch, offset, index });
      const line = this.transcript.line(this.lineOf({ epoch, offset, index }) ?? -1);
      if (line?.kind !== "said") return;
      line.isRedacted = true;
      line.text = "";
      this.transcript.touch(line);
      return;
    }
    // Of a later version it may be anything.
    const isOwn = "nickname" in event && this.#chat.isOwn(String(event.nickname));
    const notice = this.rules.take(event, isOwn);
    if (notice !== null) this.notice(notice.key, at, notice.values, isOwn);
  }

  /**
   * Take a `past` frame: on entering, or because it was asked for.
   * @param {Frame<"past">} frame
   * @param {number} now
   */
  pastCame(frame, now) {
    const { epoch, messages } = frame;
    if (this.past.came(frame)) {
      const lines = messages.map((it) => this.#pastLine(it, epoch));
      const oldest = lines[0] ?? this.transcript.line(this.transcript.first);
      /** @type {(Said | import("./transcript.js").Notice)[]} */
      const above = this.past.isWhole ? [this.#begin(oldest?.at ?? now)] : [];
      this.transcript.precede([...above, ...lines]);
      return;
    }
    const fresh = messages.filter((it) => !this.#isKnown({ ...it, epoch }));
    const isAnew = this.transcript.end === this.transcript.first;
    if (isAnew && this.past.isWhole && fresh.length > 0)
      this.transcript.add(this.#begin(fresh[0]?.at ?? now));
    // Who was sent away and is back has lines from before, and nothing joins them to these.
    const isApart = this.#greeting !== null && this.#last !== null && frame.more;
    if (isApart && fresh.length > 0 && fresh.length === messages.length)
      this.notice("notice.missed", now, {}, true);
    for (const it of fresh) {
      const line = this.#pastLine(it, epoch);
      this.#last = line.place ?? null;
      this.transcript.add(line);
    }
    this.#greet();
  }

  #greet() {
    this.#greeting?.();
    this.#greeting = null;
  }

  /**
   * @param {number} at
   * @returns {import("./transcript.js").Notice}
   */
  #begin(at) {
    return { kind: "notice", at, key: "log.begins", values: {}, grave: false };
  }

  /**
   * @param {PastMessage} message
   * @param {string} epoch
   * @returns {Said}
   */
  #pastLine(message, epoch) {
    const { offset, index, at, nickname, text = "", redacted = false } = message;
    const own = this.#chat.isOwnMessage({ ...message, text });
    const place = { epoch, offset, index };
    const isCall = !own && isNamed(text, this.#chat.nickname);
    const said = { nickname, text, own, place, isNamed: isCall };
    return { kind: "said", at, ...said, isPast: true, isRedacted: redacted };
  }

  /** @param {Place} place */
  #isKnown(place) {
    return this.#last !== null && this.#last.epoch === place.epoch && !isBefore(this.#last, place);
  }

  /** Return the place of the oldest public message that is here, or null. */
  #oldest() {
    const { transcript } = this;
    for (let seq = transcript.first; seq < transcript.end; seq += 1) {
      const line = transcript.line(seq);
      if (line?.kind === "said" && line.place !== undefined) return line.place;
    }
    return null;
  }

  /** Say whether what is here goes back to where the log begins; its day may stand above that. */
  #isFromBeginning() {
    const { transcript } = this;
    return [transcript.first, transcript.first + 1].some((seq) => {
      const line = transcript.line(seq);
      return line?.kind === "notice" && line.key === "log.begins";
    });
  }

  /**
   * Return the number of the line of a message, or null where it is not here.
   * @param {Place} place
   */
  lineOf({ epoch, offset, index }) {
    const found = this.transcript.findLast(
      (it) =>
        it.kind === "said" &&
        it.place?.epoch === epoch &&
        it.place.offset === offset &&
        it.place.index === index,
    );
    return found?.seq ?? null;
  }

  // --- Answers -----------------------------------------------------------------------------------

  /**
   * Take `sent` or `kept`: a message is in the log, or with its recipient's node, or waits for them.
   * @param {{ id: number, type: "sent" | "kept" }} frame
   * @param {number} now
   */
  kept({ id, type }, now) {
    const entry = this.outbox.answered(id, true);
    // The own copy of a public message comes before this answer, and is in the log by now.
    if (entry !== undefined && entry.state !== "seen") this.#keep(entry, now, type);
  }

  /**
   * Take `failed`, of a message or of an act of moderation.
   * @param {Frame<"failed">} frame
   * @param {number} now
   */
  failed({ id, reason, until, words = "" }, now) {
    if (id === undefined) {
      this.notice("notice.not_moderated", now, {}, true);
      return;
    }
    const entry = this.outbox.answered(id, false);
    if (entry === undefined) return;
    const because = words === "" ? "" : `: ${words}`;
    if (until === undefined) this.#fail(entry, now, reason, because);
    else this.#fail(entry, now, `${reason}_until`, because, until);
  }

  /**
   * Take `error`: of a message it has the number.
   * @param {Frame<"error">} frame
   * @param {number} now
   */
  erred({ reason, id }, now) {
    const entry = id === undefined ? undefined : this.outbox.answered(id, false);
    if (entry !== undefined) this.#fail(entry, now, "error", reason);
    else if (this.past.isAsked) this.past.failed();
    else this.notice("notice.error", now, { reason }, true);
  }

  // --- A page that is loaded again ---------------------------------------------------------------

  /** Return what another page needs to go on with this; the log is not in it. */
  snapshot() {
    return { position: this.position, outbox: this.outbox.snapshot(), last: this.#last };
  }

  /**
   * Go on with what another page had.
   * @param {ReturnType<Room["snapshot"]>} saved
   */
  restore({ position, outbox, last = null }) {
    this.position = position;
    if (position !== null) this.#seen = position;
    this.outbox.restore(outbox);
    this.#last = last;
  }

  /**
   * Return what another page shows of it: its last lines, how many of them were read, and the draft.
   * @param {number} count
   */
  talk(count) {
    const { mark, unread } = this.reading;
    const lines = this.transcript.tail(count);
    const read = lines.filter(({ seq }) => unread === 0 || mark === null || seq < mark).length;
    return { lines, read, draft: this.draft };
  }

  /**
   * Show what another page did.
   * @param {Talk} [talk]
   */
  goOn({ lines, read, draft } = { lines: [], read: 0, draft: this.draft }) {
    for (const line of lines) this.transcript.restore(line);
    this.reading.goOn(this.transcript, read);
    this.draft = draft;
  }

  // --- Helpers -----------------------------------------------------------------------------------

  /**
   * @param {Entry} entry
   * @param {number} at
   * @param {Fate} state
   */
  #keep({ id, to, text, room }, at, state) {
    const { nickname } = this.#chat;
    const { transcript } = this.#chat.room(room) ?? this;
    if (to === null) transcript.add({ kind: "said", at, nickname, text, own: true });
    else transcript.add({ kind: "whispered", at, nickname, to, text, own: true, state, id });
  }

  /**
   * @param {Entry} entry
   * @param {number} at
   * @param {string} reason
   */
  #fail({ to, text, room }, at, reason, detail = "", until = 0) {
    const { nickname } = this.#chat;
    const { transcript } = this.#chat.room(room) ?? this.#chat.lobby;
    const author = { nickname, to, text, own: /** @type {const} */ (true) };
    transcript.add({ kind: "failed", at, ...author, reason, detail, until });
  }

  /**
   * @param {Key} key
   * @param {number} at
   * @param {Values} values
   */
  notice(key, at, values = {}, grave = false) {
    this.transcript.add({ kind: "notice", at, key, values, grave });
  }
}
