/**
 * What one member knows of the chat: its rooms, private messages, and who one is oneself.
 *
 * It takes the frames that a member gets, and knows nothing of connections but that they end.
 */

import { fold } from "../session/frames.js";
import { Likeness } from "./likeness.js";
import { ROOM } from "./outbox.js";
import { Repeats } from "./repeats.js";
import { Room } from "./room.js";

/**
 * @import { Frame, Message, RoomInfo } from "../session/frames.js"
 * @import { Values } from "../texts/phrases.js"
 * @import { Key } from "../texts/texts.js"
 */

/** Own sessions that another page is told of. */
const SESSIONS = 100;

/** The name under which the service itself speaks, and operators through it. */
export const SERVER = "G";

export class Chat {
  /** The number of the next own message, whatever room it is for. */
  #ids = { next: 1 };
  /** Where everybody is who is in the chat. */
  lobby = new Room(this, "", this.#ids);
  /**
   * The further rooms that one is in, or wants to be in, by name.
   * @type {Map<string, Room>}
   */
  rooms = new Map();
  /** The room that the page shows. */
  shown = this.lobby;
  /**
   * Which further rooms there are, as the service said last; null before that.
   * @type {RoomInfo[] | null}
   */
  listed = null;
  likeness = new Likeness();
  nickname = "";
  isAdministrator = false;
  /** Whether one has proved to be an account. */
  isAccount = false;
  /**
   * Who has closed the chat, or null.
   * @type {string | null}
   */
  closer = null;
  /** Private messages that have come and were not confirmed. */
  unconfirmed = 0;

  #repeats = new Repeats();
  /** The names of one's own sessions, this one's and those that it went on from. @type {Set<string>} */
  #sessions = new Set();

  // --- Rooms -------------------------------------------------------------------------------------

  /** All rooms: the lobby, then the others by alphabet. */
  get all() {
    const { rooms } = this;
    const sorted = [...rooms.keys()].sort().map((name) => rooms.get(name) ?? this.lobby);
    return [this.lobby, ...sorted];
  }

  /**
   * Return the room of a frame, or undefined where one is not in it.
   * @param {string} name
   */
  room(name = "") {
    return name === "" ? this.lobby : this.rooms.get(name);
  }

  /**
   * Have a further room, and return it.
   * @param {string} name
   */
  join(name) {
    const room = this.rooms.get(name) ?? new Room(this, name, this.#ids);
    this.rooms.set(name, room);
    return room;
  }

  /**
   * Have a further room no more. Private messages, and what could not be said, go to the lobby's log.
   * @param {Room} room
   * @param {number} now
   */
  part(room, now) {
    this.rooms.delete(room.name);
    room.ended(now);
    if (this.shown === room) this.shown = this.lobby;
    for (const line of room.transcript.tail(room.transcript.end)) {
      if (line.kind === "whispered") this.lobby.transcript.add({ ...line, isPast: true });
    }
  }

  /**
   * Learn that one is not in a room, without having wanted it.
   * @param {string} name
   * @param {Key} key
   * @param {number} now
   * @param {Values} values
   */
  lost(name, key, now, values) {
    const room = this.rooms.get(name);
    if (room === undefined) return;
    this.part(room, now);
    this.shown.notice(key, now, { room: room.sign, ...values }, true);
  }

  /** Whether another message can be taken. */
  get hasSpace() {
    return this.waiting < ROOM;
  }

  /** How many messages wait for their answers. */
  get waiting() {
    return this.all.reduce((sum, { outbox }) => sum + outbox.size, 0);
  }

  /** Whether there are messages that were carried out and whose own copy has not come by. */
  get hasDone() {
    return this.all.some(({ outbox }) => outbox.hasDone);
  }

  /** When the message that has waited longest for its answer was sent, or null. */
  get oldestSentAt() {
    const times = this.all.map(({ outbox }) => outbox.oldestSentAt).filter((it) => it !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** Return what was written in the room that is shown and is on its way. Private messages go by the lobby. */
  pending() {
    const { name } = this.shown;
    return [...new Set([this.lobby, this.shown])]
      .flatMap(({ outbox }) => outbox.pending())
      .filter(({ room }) => room === name)
      .sort((one, other) => one.id - other.id);
  }

  // --- Coming and going --------------------------------------------------------------------------

  /**
   * Take a welcome, to the chat or back to it.
   * @param {Frame<"welcome">} frame
   * @param {number} now
   */
  welcomed(frame, now) {
    const { nickname, members, session, account = false } = frame;
    const wasAdministrator = this.isAdministrator;
    const isBack = this.lobby.position !== null;
    this.nickname = nickname;
    this.isAccount = account;
    if (session !== undefined) this.#sessions.add(session);
    this.isAdministrator = this.isOwn(members[0] ?? "");
    this.lobby.welcomed(frame, now);
    if (isBack && this.isAdministrator !== wasAdministrator) {
      const key = this.isAdministrator ? "notice.administrator" : "notice.no_administrator";
      this.lobby.notice(key, now);
    }
  }

  /** Note that the connection is gone. */
  interrupted() {
    for (const it of this.all) it.interrupted();
    this.#repeats.interrupted();
    this.unconfirmed = 0;
  }

  /**
   * Note that this is no member any more; what is in the logs stays.
   * @param {number} now
   */
  ended(now) {
    this.interrupted();
    for (const it of this.all) it.ended(now);
    this.#ids.next = 1;
    this.#repeats = new Repeats();
    this.#sessions.clear();
    this.closer = null;
    this.isAdministrator = false;
    this.listed = null;
  }

  /** Take everything off the log, and have no further rooms: who comes in next reads what a newcomer does. */
  clear() {
    this.lobby.clear();
    this.rooms.clear();
    this.shown = this.lobby;
  }

  /**
   * Give up waiting for the own copies of messages that are known to be in the log.
   * @param {number} now
   */
  giveUpCopies(now) {
    for (const it of this.all) it.giveUpCopies(now);
  }

  /**
   * Return the words for it that somebody closes the chat.
   * @param {string} nickname
   * @returns {"ended.closed_by_you" | "ended.closed_by_operator" | "ended.closed"}
   */
  closing(nickname) {
    if (this.isOwn(nickname)) return "ended.closed_by_you";
    return nickname === SERVER ? "ended.closed_by_operator" : "ended.closed";
  }

  // --- Private messages --------------------------------------------------------------------------

  /**
   * Take a private message.
   * @param {Frame<"whispered">} frame
   */
  whispered({ from, text, at, session, id }) {
    this.unconfirmed += 1;
    const key = session !== undefined && id !== undefined ? [session, id] : [at, from, text];
    if (this.#repeats.isRepeat(JSON.stringify(key))) return;
    this.likeness.see(from);
    if (this.isOwn(from)) return; // a note to oneself is in the log as sent
    const to = this.nickname;
    this.shown.transcript.add({ kind: "whispered", at, nickname: from, to, text, own: false });
  }

  /**
   * Take the news that a private message that was sent could not be delivered.
   * @param {Frame<"undelivered">} frame
   * @param {number} now
   */
  undelivered({ to, text, id }, now) {
    for (const { transcript } of this.all) {
      const line = transcript.findLast(
        (it) =>
          it.kind === "whispered" &&
          it.own &&
          it.state !== "undelivered" &&
          fold(it.to) === fold(to) &&
          (id === undefined || it.id === undefined ? it.text === text : it.id === id),
      );
      if (line?.kind !== "whispered") continue;
      line.state = "undelivered";
      transcript.touch(line);
      break;
    }
    this.shown.notice("notice.undelivered", now, { name: to, text }, true);
  }

  // --- Answers -----------------------------------------------------------------------------------

  /**
   * Take `failed`.
   * @param {Frame<"failed">} frame
   * @param {number} now
   */
  failed(frame, now) {
    const { action, room, reason } = frame;
    if (action !== "join") this.room(room)?.failed(frame, now);
    else if (room !== undefined && reason !== "already_there") {
      this.lost(room, /** @type {Key} */ (`joining.${reason}`), now, { reason });
    }
  }

  /**
   * Take `forbidden`.
   * @param {Frame<"forbidden">} frame
   * @param {number} now
   */
  forbidden({ action, room }, now) {
    if (action === undefined) this.lobby.outbox.answeredNext();
    const key = action === undefined ? "notice.forbidden" : "notice.not_moderated";
    this.room(room)?.notice(key, now, {}, true);
  }

  // --- A page that is loaded again ---------------------------------------------------------------

  /** Return what another page needs to go on with this; the logs are not in it. */
  snapshot() {
    const { nickname, isAdministrator } = this;
    const sessions = [...this.#sessions].slice(-SESSIONS);
    const repeats = this.#repeats.snapshot();
    const rooms = [...this.rooms.values()].map((it) => ({ name: it.name, ...it.snapshot() }));
    return { nickname, isAdministrator, repeats, sessions, rooms, ...this.lobby.snapshot() };
  }

  /**
   * Go on with what another page had.
   * @param {ReturnType<Chat["snapshot"]>} saved
   */
  restore(saved) {
    this.nickname = saved.nickname;
    this.isAdministrator = saved.isAdministrator;
    this.lobby.restore(saved);
    for (const it of saved.rooms ?? []) this.join(it.name).restore(it);
    this.#repeats.restore(saved.repeats);
    this.#sessions = new Set(saved.sessions ?? []);
  }

  // --- Helpers -----------------------------------------------------------------------------------

  /** Whether the room that is shown is one's own. */
  get isOwner() {
    const { owner } = this.shown.rules;
    return this.isAccount && owner !== "" && this.isOwn(owner);
  }

  /** @param {string} nickname */
  isOwn(nickname) {
    return fold(nickname) === fold(this.nickname);
  }

  /**
   * Say whether a public message is one's own: of one's sessions, or of one's account.
   *
   * Somebody else may have had the nickname before. A service of an earlier version tells no more than that.
   * @param {Message} message
   */
  isOwnMessage(message) {
    if (message.session === undefined) return this.isOwn(message.nickname);
    if (this.#sessions.has(message.session)) return true;
    return this.isAccount && message.account === true && this.isOwn(message.nickname);
  }

  /**
   * Say whether one's own message was sent from here, and not from another page of the same account.
   * @param {Message} message
   */
  isOfThisPage({ session }) {
    return session === undefined || this.#sessions.has(session);
  }
}
