/**
 * One person's way through the chat: entering, talking, losing the connection, coming back, going.
 *
 * It knows no socket, no page and no clock. It is told what happened and at what time: `now`, in
 * milliseconds by a clock that nobody sets, and for what is shown, `at`, in milliseconds since 1970. What
 * is to be done with the socket is collected and taken with `takeActs`:
 *
 *     {act: "open"}            open a new connection
 *     {act: "send", frame}     send a frame on it
 *     {act: "drop"}            close it, and listen to it no more
 *     {act: "ask"}             ask by plain HTTP whether this page's origin may connect
 *
 * and `deadline` says when `due` wants to be called.
 */

import { OwnAccount } from "../account/own_account.js";
import { Chat } from "../chat/chat.js";
import { Backoff } from "./backoff.js";
import { cleaned, fold, isVisible, MAX_TEXT, read, weight } from "./frames.js";
import { Pulse } from "./pulse.js";

/**
 * @import { AccountFrame, Act as ModeratorsAct, ClientFrame, Frame, Frames } from "./frames.js"
 * @import { Values } from "../texts/phrases.js"
 */

/**
 * @typedef {"outside" | "opening" | "asking" | "refused" | "inside" | "waiting" | "leaving"} State
 * @typedef {"enter" | "goOn" | "opened" | "welcomed" | "refused" | "leave" | "due" | "broke" | "ended"
 *   | "gaveUp"} Happening
 * @typedef {{ act: "open" | "drop" | "ask" } | { act: "send", frame: ClientFrame }} Act
 * @typedef {"outside" | "empty" | "too_long" | "too_many"} Refusal
 * @typedef {{ key: `${"refused" | "ended"}.${string}`, values: Values, suggestions?: readonly string[] }}
 *   Explanation
 * @typedef {NonNullable<ReturnType<Session["snapshot"]>>} Saved
 */

/**
 * How a frame is taken, in which states.
 * @template {keyof Frames} Type
 * @typedef {object} Taking
 * @property {readonly State[]} states
 * @property {(session: Session, frame: Frame<Type>, now: number, at: number) => void} take
 */

/**
 * Which state follows a state, by what happened. Nothing else can happen in it.
 * @type {Readonly<Record<State, { readonly [happening in Happening]?: State }>>}
 */
export const NEXT = Object.freeze({
  // No connection: the page shows the entrance.
  outside: { enter: "opening", goOn: "opening" },
  // A connection is being opened, the first or another one.
  opening: { opened: "asking", broke: "waiting", ended: "outside", gaveUp: "outside" },
  // The name was sent.
  asking: {
    welcomed: "inside",
    refused: "refused",
    broke: "waiting",
    ended: "outside",
    gaveUp: "outside",
  },
  // It was refused; the connection stays, for another one.
  refused: { enter: "asking", broke: "outside", ended: "outside", gaveUp: "outside" },
  inside: { leave: "leaving", broke: "waiting", ended: "outside" },
  // The connection was lost, or could not be opened; the next is opened after a pause.
  waiting: { due: "opening", gaveUp: "outside" },
  // The service was told, and will close the connection.
  leaving: { broke: "outside", ended: "outside", gaveUp: "outside" },
});

/**
 * Milliseconds after which one does not wait any longer, and gives the connection up.
 * @type {{ readonly [state in State]?: number }}
 */
const PATIENCE = { opening: 10_000, asking: 60_000, leaving: 3_000 };
/** Milliseconds without the answer to a message after which one is told that messages wait. */
const STALLED = 5_000;
/** Milliseconds inside after which a connection was a good one: the next pause is short again. */
const SETTLED = 10_000;
/** Milliseconds for which private messages are gathered before they are confirmed together. */
const CONFIRM = 100;
/** Milliseconds to wait for the own copy of a message that is known to be in the log. */
const COPY = 3_000;

/** Status codes of a close, see docs/protocols/browser.md: anything else means to come back. */
const OVER = 1000;
const STAY_AWAY = 4001;
/**
 * What an operator says who ends this, and when that is over; here: nothing, and never.
 * @type {{ readonly because: string, readonly until: number }}
 */
const UNSAID = { because: "", until: 0 };
/** The reason of a close by a node that shuts down. */
const RESTARTS = "drained";
/** Reasons of a close for which there are words. */
const EXPLAINED = new Set([
  "banned",
  "chat_closed",
  "displaced",
  "kicked",
  "left",
  "long_lines",
  "too_many_from_address",
]);

export class Session {
  /**
   * A key of `NEXT`.
   * @type {State}
   */
  state = "outside";
  /**
   * Why one is outside, or was refused: `{key, values}` for the page's words; or null.
   * @type {Explanation | null}
   */
  explanation = null;
  chat = new Chat();
  account = new OwnAccount();

  #backoff;
  /** @type {Act[]} */
  #acts = [];
  /** @type {{ state: number | null, confirm: number | null, copies: number | null }} */
  #timers = { state: null, confirm: null, copies: null };
  #asked = { nickname: "", password: "", idToken: "" };
  /**
   * The name to come in under after leaving, and the rooms that one was in.
   * @type {{ nickname: string, rooms: string[] } | null}
   */
  #next = null;
  /** @type {string | null} */
  #token = null;
  /** Whether the service closed the last connection that was one to restart, as it said. */
  #isRestarting = false;
  /** Whether the service said that it lets no page of this origin connect. */
  #isForeign = false;
  /** What an operator said who ended this, and when that is over. */
  #dismissal = UNSAID;
  #insideSince = 0;
  #pulse = new Pulse();
  #isStalled = false;
  /** Whether it was asked which rooms there are. */
  #isListing = false;
  /** The rooms that were left while there was no connection. @type {Set<string>} */
  #parted = new Set();
  /** What the clock on the wall shows beyond `now`. */
  #wall = 0;

  /**
   * `random` gives numbers from 0 up to 1.
   * @param {() => number} random
   */
  constructor(random = Math.random) {
    this.#backoff = new Backoff(random);
  }

  /** Whether there is a place in the chat to be in, or to go back to. */
  get isMember() {
    return this.#token !== null;
  }

  /**
   * How it stands with the connection: its state, that the service restarts, that it takes this page for
   * another site's, or that messages wait there.
   */
  get status() {
    if (this.#isForeign && (this.state === "opening" || this.state === "waiting")) return "foreign";
    if (this.state === "inside" && this.#isStalled) return "stalled";
    return this.state === "waiting" && this.#isRestarting ? "restarting" : this.state;
  }

  /** When `due` wants to be called, or null. */
  get deadline() {
    const all = [...Object.values(this.#timers), this.#silence(), this.#stall()];
    const times = all.filter((time) => time !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** Return what is to be done with the socket, in this order, and forget it. */
  takeActs() {
    const acts = this.#acts;
    this.#acts = [];
    return acts;
  }

  /**
   * Learn what the clock on the wall shows.
   * @param {number} at
   * @param {number} now
   */
  clock(at, now) {
    this.#wall = at - now;
  }

  // --- What the person does ----------------------------------------------------------------------

  /**
   * Ask for a name; an empty password is none.
   * @param {string} nickname
   * @param {string} password
   * @param {number} now
   * @param {string} idToken
   */
  enter(nickname, password, now, idToken = "") {
    if (!this.#can("enter")) return;
    // Who comes in under another name does not read what the one before had in private.
    if (this.state === "outside" && fold(nickname) !== fold(this.chat.nickname)) {
      this.chat.clear();
    }
    this.explanation = null;
    this.#asked = { nickname, password, idToken };
    this.#isForeign = false;
    this.#backoff.reset();
    this.#go("enter", now);
  }

  /**
   * Enter as who an issuer says that one is.
   * @param {string} idToken
   * @param {number} now
   */
  enterSigned(idToken, now) {
    this.enter("", "", now, idToken);
  }

  /**
   * Write to everybody (`to` is null) or to one. What is written without a connection is sent later.
   *
   * Returns null, or why it was not taken: "outside", "empty", "too_long", "too_many".
   * @param {string | null} to
   * @param {string} text
   * @param {number} now
   * @param {string} room where it is written, and said if it is for everybody
   * @returns {Refusal | null}
   */
  write(to, text, now, room = "") {
    const said = cleaned(text);
    if (!this.isMember || this.state === "leaving") return "outside";
    if (!isVisible(said)) return "empty";
    if (weight(said) > MAX_TEXT) return "too_long";
    if (!this.chat.hasSpace) return "too_many";
    // Private messages are the chat's: the lobby answers for them.
    const { outbox } = (to === null ? this.chat.room(room) : null) ?? this.chat.lobby;
    outbox.add(to, said, this.#at(now), room);
    if (this.state === "inside") this.#sendWaiting(now);
    return null;
  }

  /**
   * Go; or stop trying to come in.
   * @param {number} now
   */
  leave(now) {
    if (this.#can("leave")) this.#go("leave", now);
    else if (this.#can("gaveUp")) this.#go("gaveUp", now, this.isMember ? explained("left") : null);
  }

  /**
   * Go, and come in under another name.
   * @param {string} nickname
   * @param {number} now
   */
  rename(nickname, now) {
    if (!this.#can("leave")) return;
    this.#next = { nickname, rooms: [...this.chat.rooms.keys()] };
    this.#go("leave", now);
  }

  /**
   * Come into a further room, as soon as one is in the chat, and show it.
   * @param {string} name
   */
  join(name) {
    const isKnown = this.chat.rooms.has(name);
    this.chat.shown = this.chat.join(name);
    if (!isKnown && this.state === "inside") this.#send({ type: "join", room: name });
  }

  /**
   * Leave a further room.
   * @param {string} name
   * @param {number} now
   */
  part(name, now) {
    const room = this.chat.rooms.get(name);
    if (room === undefined) return;
    this.chat.part(room, this.#at(now));
    if (this.state === "inside") this.#send({ type: "part", room: name });
    else this.#parted.add(name);
  }

  /** Ask which further rooms there are. */
  askRooms() {
    if (this.state !== "inside" || this.#isListing) return;
    this.#isListing = true;
    this.#send({ type: "rooms" });
  }

  /**
   * Learn which there are.
   * @param {Frame<"rooms">} frame
   */
  listed({ rooms }) {
    this.#isListing = false;
    this.chat.listed = rooms;
  }

  /**
   * Close the whole chat. Without a connection nothing happens.
   * @param {number} now
   */
  closeChat(now) {
    if (this.state !== "inside") return;
    this.#send({ type: "close" });
    this.chat.lobby.outbox.sentOther(now);
  }

  /**
   * Ask for something about the account of one's nickname, one thing at a time; false where that can't be.
   * @param {AccountFrame} frame
   */
  askAccount(frame) {
    if (this.state !== "inside" || this.account.isUnderway) return false;
    this.account.asked();
    this.#send(frame);
    return true;
  }

  /**
   * Connect at once, where a pause is being made.
   * @param {number} now
   */
  hurry(now) {
    if (this.state === "waiting") this.#go("due", now);
  }

  /**
   * Learn that the network is another one: what was connected may be dead without a sign.
   * @param {number} now
   */
  networkChanged(now) {
    if (this.#can("broke") && this.state !== "refused") this.#break(now);
    this.hurry(now);
  }

  /**
   * Learn that the page is shown again: while it was not, it may have missed that the connection died.
   * @param {number} now
   */
  shown(now) {
    this.hurry(now);
    if (this.state === "inside" && this.#pulse.canAsk) this.#ask(now);
  }

  /**
   * Ask for what was said before the oldest line, in the room that is shown.
   */
  lookBack() {
    this.chat.shown.past.wantEarlier();
    this.#askPast();
  }

  /**
   * Moderate the room that is shown. Without a connection nothing happens.
   * @param {ModeratorsAct} act
   */
  moderate(act) {
    if (this.state === "inside")
      this.#send({ type: "moderate", ...act, ...this.chat.shown.address });
  }

  /**
   * Ask where a text was said; an empty one ends the search. Without a text, ask for more of the same.
   * @param {string} [text]
   */
  search(text) {
    const { past } = this.chat.shown;
    if (text === undefined) past.wantMoreFound();
    else past.wantSearch(text);
    this.#askPast();
  }

  #askPast() {
    const rooms = this.chat.all.filter((it) => it.isIn);
    // One at a time, of all rooms.
    if (this.state !== "inside" || rooms.some((it) => it.past.isAsked)) return;
    for (const room of rooms) {
      const frame = room.past.takeFrame();
      if (frame === null) continue;
      this.#send({ ...frame, ...room.address });
      return;
    }
  }

  // --- What the socket does ----------------------------------------------------------------------

  /**
   * Learn that the connection is open.
   * @param {number} now
   */
  opened(now) {
    this.#isForeign = false;
    if (this.#can("opened")) this.#go("opened", now);
  }

  /**
   * Learn what the service said to the question whether this page's origin may connect.
   * @param {boolean} isRefused
   */
  judged(isRefused) {
    this.#isForeign = isRefused && (this.state === "opening" || this.state === "waiting");
  }

  /**
   * Take a message of the service. What is none that this page knows is ignored.
   * @param {string} text
   * @param {number} now
   */
  received(text, now) {
    const frame = read(text);
    this.#pulse.heard(now);
    if (frame === null || !Object.hasOwn(FRAMES, frame.type)) return;
    /** @type {Taking<any>} */
    const { states, take } = FRAMES[frame.type]; // the table keeps what is of one type together
    if (states.includes(this.state)) take(this, frame, now, this.#at(now));
    this.#lookStalled(now);
  }

  /**
   * Learn that the connection is closed, with what status code and reason.
   * @param {number} code
   * @param {string} reason
   * @param {number} now
   */
  closed(code, reason, now) {
    const { closer } = this.chat;
    if (closer !== null) {
      this.#go("ended", now, { key: this.chat.closing(closer), values: { name: closer } });
    } else if (code === OVER || code === STAY_AWAY) {
      const why = EXPLAINED.has(reason) ? reason : "other";
      const isDismissed = reason === "kicked" || reason === "banned";
      const { because, until } = isDismissed ? this.#dismissal : UNSAID;
      this.#dismissal = UNSAID;
      const how = `${because === "" ? "" : "_because"}${until === 0 ? "" : "_until"}`;
      const values = { because, until, reason: reason || String(code) };
      this.#go("ended", now, explained(`${why}${how}`, values));
    } else {
      if (this.state === "inside") this.#isRestarting = reason === RESTARTS;
      // A browser tells no page what answer a WebSocket got that did not open.
      if (this.state === "opening") this.#acts.push({ act: "ask" });
      this.#go("broke", now);
    }
  }

  // --- Time --------------------------------------------------------------------------------------

  /**
   * Do what is due.
   * @param {number} now
   */
  due(now) {
    const { state, confirm, copies } = this.#timers;
    if (state !== null && now >= state) {
      if (this.state === "waiting") this.#go("due", now);
      else if (this.state === "leaving") this.#go("gaveUp", now);
      else this.#break(now);
    }
    const silence = this.#silence();
    if (silence !== null && now >= silence) {
      if (this.#pulse.isAsked) this.#break(now);
      else this.#ask(now);
    }
    this.#lookStalled(now);
    if (confirm !== null && now >= confirm) this.#confirm();
    if (copies !== null && now >= copies) {
      this.#timers.copies = null;
      this.chat.giveUpCopies(this.#at(now));
    }
  }

  // --- A page that is loaded again ---------------------------------------------------------------

  /** Return what another page needs to go on as this one; null where there is nothing to go on with. */
  snapshot() {
    if (this.#token === null || this.state === "leaving") return null;
    return { token: this.#token, chat: this.chat.snapshot() };
  }

  /**
   * Go on as another page did.
   * @param {Saved} saved
   * @param {number} now
   */
  goOn(saved, now) {
    if (!this.#can("goOn")) return;
    this.#token = saved.token;
    this.chat.restore(saved.chat);
    this.#asked = { nickname: this.chat.nickname, password: "", idToken: "" };
    this.#go("goOn", now);
  }

  // --- From state to state -----------------------------------------------------------------------

  /** @param {Happening} happening */
  #can(happening) {
    return Object.hasOwn(NEXT[this.state], happening);
  }

  /**
   * @param {Happening} happening
   * @param {number} now
   * @param {Explanation | null} explanation
   */
  #go(happening, now, explanation = null) {
    const before = this.state;
    const after = NEXT[before][happening];
    if (after === undefined) throw new Error(`${happening} can't happen in state ${before}`);
    this.state = after;
    const patience = PATIENCE[after];
    this.#timers.state = patience === undefined ? null : now + patience;
    if (before === "inside" && after !== "leaving") this.#interrupted(now);
    switch (after) {
      case "opening":
        this.#acts.push({ act: "open" });
        break;
      case "asking":
        this.#send(this.#enterFrame());
        break;
      case "leaving":
        this.#confirm();
        this.#send({ type: "leave" });
        break;
      case "waiting":
        this.#timers.state = now + this.#backoff.next();
        break;
      case "outside":
        this.#acts.push({ act: "drop" });
        // What was refused stays refused, even when the connection has gone since.
        if (before !== "refused" || explanation !== null) this.explanation = explanation;
        if (before === "leaving") this.explanation = explained("left");
        this.#forget(now);
        if (before === "leaving" || happening === "gaveUp") this.chat.clear();
        this.#comeBack(now);
        break;
    }
  }

  /**
   * Give up a connection that may still be open.
   * @param {number} now
   */
  #break(now) {
    this.#acts.push({ act: "drop" });
    this.#go("broke", now);
  }

  /** @param {number} now */
  #interrupted(now) {
    if (now - this.#insideSince >= SETTLED) this.#backoff.reset();
    this.#timers.confirm = null;
    this.account.interrupted();
    this.#isListing = false;
    this.chat.interrupted();
  }

  /** @param {number} now */
  #comeBack(now) {
    const next = this.#next;
    this.#next = null;
    if (next === null) return;
    this.enter(next.nickname, "", now);
    for (const name of next.rooms) this.chat.join(name);
  }

  /** @param {number} now */
  #forget(now) {
    this.#token = null;
    this.#asked.password = "";
    this.#timers = { state: null, confirm: null, copies: null };
    this.chat.ended(this.#at(now));
  }

  // --- Whether the service is there --------------------------------------------------------------

  /** When it is to be asked whether it is there, or to be given up; null for never. */
  #silence() {
    return this.state === "inside" ? this.#pulse.deadline : null;
  }

  /** @param {number} now */
  #ask(now) {
    this.#pulse.asked(now);
    this.#send({ type: "ping" });
  }

  /** When one is to be told that messages wait; null where none does, or one was told. */
  #stall() {
    const sentAt = this.state === "inside" ? this.chat.oldestSentAt : null;
    return sentAt === null || this.#isStalled ? null : sentAt + STALLED;
  }

  /** @param {number} now */
  #lookStalled(now) {
    const sentAt = this.state === "inside" ? this.chat.oldestSentAt : null;
    this.#isStalled = sentAt !== null && now >= sentAt + STALLED;
  }

  /** @param {number} now */
  #at(now) {
    return now + this.#wall;
  }

  // --- Frames ------------------------------------------------------------------------------------

  /**
   * Take a welcome, to the chat or back to it.
   * @param {Frame<"welcome">} frame
   * @param {number} now
   */
  welcomed(frame, now) {
    this.#isRestarting = false;
    this.#token = frame.token;
    this.#asked = { nickname: frame.nickname, password: "", idToken: "" };
    this.#insideSince = now;
    this.#pulse.begin(frame.heartbeat, now);
    this.#go("welcomed", now);
    this.account.seated(frame);
    this.chat.welcomed(frame, this.#at(now));
    for (const room of this.#parted) this.#send({ type: "part", room });
    this.#parted.clear();
    // The others were named on entering.
    for (const { name, position } of this.chat.rooms.values()) {
      if (position === null) this.#send({ type: "join", room: name });
    }
    this.#goOnSaying(now);
  }

  /**
   * Take the welcome to a further room.
   * @param {Frame<"room">} frame
   * @param {number} now
   */
  seated(frame, now) {
    this.chat.room(frame.room)?.welcomed(frame, this.#at(now));
    this.#goOnSaying(now);
  }

  /** @param {number} now */
  #goOnSaying(now) {
    if (this.chat.hasDone) this.#timers.copies = now + COPY;
    this.#sendWaiting(now);
  }

  /**
   * Learn that the name was not accepted.
   * @param {string} reason
   * @param {Values} values
   * @param {number} now
   * @param {readonly string[]} suggestions
   */
  refused(reason, values, now, suggestions = []) {
    const until = values.until === undefined ? "" : "_until";
    const isTaken = reason === "nickname_taken";
    const isLost = this.isMember && isTaken;
    const isWrong = isTaken && this.#asked.password !== "";
    const why = isWrong ? "wrong_password" : `${reason}${until}`;
    if (this.isMember) this.#forget(now);
    this.#asked.password = "";
    this.#asked.idToken = "";
    this.explanation = {
      key: isLost ? "refused.meanwhile" : `refused.${why}`,
      values: { name: this.#asked.nickname, ...values },
      ...(suggestions.length > 0 && { suggestions }),
    };
    this.#go("refused", now);
  }

  /**
   * Take what was said before.
   * @param {Frame<"past">} frame
   * @param {number} at
   */
  past(frame, at) {
    this.chat.room(frame.room)?.pastCame(frame, at);
    this.#askPast();
  }

  /**
   * Take what was found.
   * @param {Frame<"found">} frame
   */
  found(frame) {
    this.chat.room(frame.room)?.past.found(frame);
    this.#askPast();
  }

  /**
   * Learn why an operator ends this; the close that follows says what it is.
   * @param {string} because
   * @param {number} until
   */
  dismissed(because, until = 0) {
    this.#dismissal = { because, until };
  }

  /**
   * Take a private message, which is to be confirmed.
   * @param {Frame<"whispered">} frame
   * @param {number} now
   */
  whispered(frame, now) {
    this.chat.whispered(frame);
    this.#timers.confirm ??= now + CONFIRM;
  }

  /** @returns {ClientFrame} */
  #enterFrame() {
    const { nickname, password, idToken } = this.#asked;
    const { position } = this.chat.lobby;
    const token = this.#token;
    const places = [...this.chat.rooms.values()].flatMap((it) =>
      it.position === null ? [] : [[it.name, it.position]],
    );
    return {
      type: "enter",
      nickname,
      ...(password !== "" && { password }),
      ...(idToken !== "" && { id_token: idToken }),
      ...(token !== null && position !== null && { resume: { token, ...position } }),
      ...(places.length > 0 && { rooms: Object.fromEntries(places) }),
    };
  }

  /** @param {number} now */
  #sendWaiting(now) {
    for (const { isIn, outbox, address } of this.chat.all) {
      if (!isIn) continue;
      for (const { id, to, text } of outbox.takeWaiting(now)) {
        if (to === null) this.#send({ type: "say", id, text, ...address });
        else this.#send({ type: "whisper", id, to, text });
      }
    }
  }

  #confirm() {
    this.#timers.confirm = null;
    if (this.chat.unconfirmed === 0) return;
    this.#send({ type: "received", count: this.chat.unconfirmed });
    this.chat.unconfirmed = 0;
  }

  /** @param {ClientFrame} frame */
  #send(frame) {
    this.#acts.push({ act: "send", frame });
  }
}

/**
 * @param {string} why
 * @param {Values} values
 * @returns {Explanation}
 */
function explained(why, values = {}) {
  return { key: `ended.${why}`, values };
}

/** @type {State[]} */
const MEMBER = ["inside", "leaving"];

/**
 * The service's frames: in which states they are taken, and by whom.
 * @type {{ readonly [Type in keyof Frames]: Taking<Type> }}
 */
const FRAMES = Object.freeze({
  welcome: { states: ["asking"], take: (session, frame, now) => session.welcomed(frame, now) },
  refused: {
    states: ["asking"],
    take: (session, { reason, until, suggestions }, now) => {
      // A ban of an address closes the connection as well, with the same words.
      if (reason === "banned") session.dismissed("", until);
      session.refused(reason, until === undefined ? {} : { until }, now, suggestions);
    },
  },
  error: {
    states: ["asking", "inside"],
    take: (session, frame, now, at) => {
      if (session.state === "inside") session.chat.room(frame.room)?.erred(frame, at);
      else session.refused("error", { reason: frame.reason }, now);
    },
  },
  room: { states: MEMBER, take: (session, frame, now) => session.seated(frame, now) },
  parted: {
    states: MEMBER,
    take: ({ chat }, { room, reason, words = "" }, _, at) => {
      // Who wanted to go is gone already.
      if (reason === "left") return;
      const key = reason === "kicked" ? "notice.room_kicked" : "notice.room_displaced";
      chat.lost(room, key, at, { because: words === "" ? "" : `: ${words}` });
    },
  },
  rooms: { states: MEMBER, take: (session, frame) => session.listed(frame) },
  events: { states: MEMBER, take: ({ chat }, frame) => chat.room(frame.room)?.happened(frame) },
  missed: {
    states: MEMBER,
    take: ({ chat }, frame, _, at) => chat.room(frame.room)?.missed(frame, at),
  },
  whispered: { states: MEMBER, take: (session, frame, now) => session.whispered(frame, now) },
  undelivered: { states: MEMBER, take: ({ chat }, frame, _, at) => chat.undelivered(frame, at) },
  past: { states: MEMBER, take: (session, frame, _, at) => session.past(frame, at) },
  found: { states: MEMBER, take: (session, frame) => session.found(frame) },
  sent: {
    states: MEMBER,
    take: ({ chat }, frame, _, at) => chat.room(frame.room)?.kept(frame, at),
  },
  kept: { states: MEMBER, take: ({ chat }, frame, _, at) => chat.lobby.kept(frame, at) },
  failed: { states: MEMBER, take: ({ chat }, frame, _, at) => chat.failed(frame, at) },
  kicked: { states: MEMBER, take: (session, frame) => session.dismissed(frame.reason) },
  banned: {
    states: MEMBER,
    take: (session, { reason, until }) => session.dismissed(reason, until),
  },
  account: {
    states: ["inside"],
    take: ({ account, chat }, frame) => {
      account.answered(frame);
      chat.isAccount = account.isOne;
    },
  },
  slowed: {
    states: MEMBER,
    take: ({ chat }, _frame, _, at) => chat.shown.notice("notice.slowed", at, {}, true),
  },
  forbidden: { states: ["inside"], take: ({ chat }, frame, _, at) => chat.forbidden(frame, at) },
});
