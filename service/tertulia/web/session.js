/**
 * One person's way through the chat: entering, talking, losing the connection, coming back, going.
 *
 * It knows no socket, no page and no clock. It is told what happened and at what time (milliseconds
 * since 1970); what is to be done with the socket is collected and taken with `takeActs`:
 *
 *     {act: "open"}            open a new connection
 *     {act: "send", frame}     send a frame on it
 *     {act: "drop"}            close it, and listen to it no more
 *
 * and `deadline` says when `due` wants to be called.
 */

import { Backoff } from "./backoff.js";
import { Chat } from "./chat.js";
import { cleaned, fold, MAX_TEXT, read, weight } from "./frames.js";

/**
 * @import { ClientFrame, Frame, Frames } from "./frames.js"
 * @import { Values } from "./texts.js"
 */

/**
 * @typedef {"outside" | "opening" | "asking" | "refused" | "inside" | "waiting" | "leaving"} State
 * @typedef {"enter" | "goOn" | "opened" | "welcomed" | "refused" | "leave" | "due" | "broke" | "ended"
 *   | "gaveUp"} Happening
 * @typedef {{ act: "open" | "drop" } | { act: "send", frame: ClientFrame }} Act
 * @typedef {"outside" | "empty" | "too_long" | "too_many"} Refusal
 * @typedef {{ key: `${"refused" | "ended"}.${string}`, values: Values }} Explanation
 * @typedef {NonNullable<ReturnType<Session["snapshot"]>>} Saved
 */

/**
 * How a frame is taken, in which states.
 * @template {keyof Frames} Type
 * @typedef {object} Taking
 * @property {readonly State[]} states
 * @property {(session: Session, frame: Frame<Type>, now: number) => void} take
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
/** Milliseconds without any frame after which a connection that owes an answer is taken for dead. */
const SILENCE = 20_000;
/** Milliseconds inside after which a connection was a good one: the next pause is short again. */
const SETTLED = 10_000;
/** Milliseconds for which private messages are gathered before they are confirmed together. */
const CONFIRM = 100;
/** Milliseconds to wait for the own copy of a message that is known to be in the log. */
const COPY = 3_000;

/** Status codes of a close, see docs/protocols/browser.md: anything else means to come back. */
const OVER = 1000;
const STAY_AWAY = 4001;
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

  #backoff;
  /** @type {Act[]} */
  #acts = [];
  /** @type {{ state: number | null, confirm: number | null, copies: number | null }} */
  #timers = { state: null, confirm: null, copies: null };
  #asked = { nickname: "", password: "" };
  /** @type {string | null} */
  #token = null;
  /** Whether the service closed the last connection that was one to restart, as it said. */
  #isRestarting = false;
  /** What an operator said who ended this. */
  #dismissal = "";
  #insideSince = 0;
  #heardAt = 0;

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

  /** How it stands with the connection: its state, or that the service restarts. */
  get status() {
    return this.state === "waiting" && this.#isRestarting ? "restarting" : this.state;
  }

  /** When `due` wants to be called, or null. */
  get deadline() {
    const times = [...Object.values(this.#timers), this.#silence()].filter((time) => time !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** Return what is to be done with the socket, in this order, and forget it. */
  takeActs() {
    const acts = this.#acts;
    this.#acts = [];
    return acts;
  }

  // --- What the person does ----------------------------------------------------------------------

  /**
   * Ask for a name; an empty password is none.
   * @param {string} nickname
   * @param {string} password
   * @param {number} now
   */
  enter(nickname, password, now) {
    if (!this.#can("enter")) return;
    // Who comes in under another name does not read what the one before had in private.
    if (this.state === "outside" && fold(nickname) !== fold(this.chat.nickname)) {
      this.chat.transcript.clear();
    }
    this.explanation = null;
    this.#asked = { nickname, password };
    this.#backoff.reset();
    this.#go("enter", now);
  }

  /**
   * Write to everybody (`to` is null) or to one. What is written without a connection is sent later.
   *
   * Returns null, or why it was not taken: "outside", "empty", "too_long", "too_many".
   * @param {string | null} to
   * @param {string} text
   * @param {number} now
   * @returns {Refusal | null}
   */
  write(to, text, now) {
    const line = cleaned(text);
    if (!this.isMember || this.state === "leaving") return "outside";
    if (line.trim() === "") return "empty";
    if (weight(line) > MAX_TEXT) return "too_long";
    if (!this.chat.outbox.hasRoom) return "too_many";
    this.chat.outbox.add(to, line, now);
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
   * Close the whole chat. Without a connection nothing happens.
   * @param {number} now
   */
  closeChat(now) {
    if (this.state !== "inside") return;
    this.#send({ type: "close" });
    this.chat.outbox.sentOther(now);
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

  // --- What the socket does ----------------------------------------------------------------------

  /**
   * Learn that the connection is open.
   * @param {number} now
   */
  opened(now) {
    if (this.#can("opened")) this.#go("opened", now);
  }

  /**
   * Take a message of the service. What is none that this page knows is ignored.
   * @param {string} text
   * @param {number} now
   */
  received(text, now) {
    const frame = read(text);
    this.#heardAt = now;
    if (frame === null || !Object.hasOwn(FRAMES, frame.type)) return;
    /** @type {Taking<any>} */
    const { states, take } = FRAMES[frame.type]; // the table keeps what is of one type together
    if (states.includes(this.state)) take(this, frame, now);
  }

  /**
   * Learn that the connection is closed, with what status code and reason.
   * @param {number} code
   * @param {string} reason
   * @param {number} now
   */
  closed(code, reason, now) {
    const { closer, nickname } = this.chat;
    if (closer !== null) {
      const isOwn = fold(closer) === fold(nickname);
      this.#go("ended", now, explained(isOwn ? "closed_by_you" : "closed", { name: closer }));
    } else if (code === OVER || code === STAY_AWAY) {
      const why = EXPLAINED.has(reason) ? reason : "other";
      const because = reason === "kicked" || reason === "banned" ? this.#dismissal : "";
      this.#dismissal = "";
      this.#go(
        "ended",
        now,
        because === ""
          ? explained(why, { reason: reason || String(code) })
          : explained(`${why}_because`, { because }),
      );
    } else {
      if (this.state === "inside") this.#isRestarting = reason === RESTARTS;
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
    if (silence !== null && now >= silence) this.#break(now);
    if (confirm !== null && now >= confirm) this.#confirm();
    if (copies !== null && now >= copies) {
      this.#timers.copies = null;
      this.chat.giveUpCopies(now);
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
    this.#asked = { nickname: this.chat.nickname, password: "" };
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
        if (before === "leaving" || happening === "gaveUp") this.chat.transcript.clear();
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
    this.chat.interrupted();
  }

  /** @param {number} now */
  #forget(now) {
    this.#token = null;
    this.#asked.password = "";
    this.#timers = { state: null, confirm: null, copies: null };
    this.chat.ended(now);
  }

  #silence() {
    const asked = this.state === "inside" ? this.chat.outbox.oldestSentAt : null;
    return asked === null ? null : Math.max(asked, this.#heardAt) + SILENCE;
  }

  // --- Frames ------------------------------------------------------------------------------------

  /**
   * Take a welcome, to the chat or back to it.
   * @param {Frame<"welcome">} frame
   * @param {number} now
   */
  welcomed(frame, now) {
    const isBack = this.isMember;
    this.#isRestarting = false;
    this.#token = frame.token;
    this.#asked = { nickname: frame.nickname, password: "" };
    this.#insideSince = now;
    this.#go("welcomed", now);
    if (isBack) this.chat.resumed(frame, now);
    else this.chat.entered(frame, now);
    if (this.chat.outbox.hasDone) this.#timers.copies = now + COPY;
    this.#sendWaiting(now);
  }

  /**
   * Learn that the name was not accepted.
   * @param {string} reason
   * @param {Values} values
   * @param {number} now
   */
  refused(reason, values, now) {
    const isLost = this.isMember && reason === "nickname_taken";
    if (this.isMember) this.#forget(now);
    this.#asked.password = "";
    this.explanation = {
      key: isLost ? "refused.meanwhile" : `refused.${reason}`,
      values: { name: this.#asked.nickname, ...values },
    };
    this.#go("refused", now);
  }

  /**
   * Learn why an operator ends this; the close that follows says what it is.
   * @param {string} reason
   */
  dismissed(reason) {
    this.#dismissal = reason;
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
    const { nickname, password } = this.#asked;
    const { position } = this.chat;
    const token = this.#token;
    return {
      type: "enter",
      nickname,
      ...(password !== "" && { password }),
      ...(token !== null && position !== null && { resume: { token, ...position } }),
    };
  }

  /** @param {number} now */
  #sendWaiting(now) {
    for (const { id, to, text } of this.chat.outbox.takeWaiting(now)) {
      this.#send(to === null ? { type: "say", id, text } : { type: "whisper", id, to, text });
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
    take: (session, frame, now) => session.refused(frame.reason, {}, now),
  },
  error: {
    states: ["asking", "inside"],
    take: (session, frame, now) => {
      if (session.state === "inside") session.chat.erred(frame, now);
      else session.refused("error", { reason: frame.reason }, now);
    },
  },
  events: { states: MEMBER, take: (session, frame) => session.chat.happened(frame) },
  missed: { states: MEMBER, take: ({ chat }, frame, now) => chat.missed(frame, now) },
  whispered: { states: MEMBER, take: (session, frame, now) => session.whispered(frame, now) },
  undelivered: { states: MEMBER, take: ({ chat }, frame, now) => chat.undelivered(frame, now) },
  sent: { states: MEMBER, take: ({ chat }, frame, now) => chat.kept(frame, now) },
  kept: { states: MEMBER, take: ({ chat }, frame, now) => chat.kept(frame, now) },
  failed: { states: MEMBER, take: ({ chat }, frame, now) => chat.failed(frame, now) },
  kicked: { states: MEMBER, take: (session, frame) => session.dismissed(frame.reason) },
  banned: { states: MEMBER, take: (session, frame) => session.dismissed(frame.reason) },
  slowed: { states: MEMBER, take: ({ chat }, _, now) => chat.slowed(now) },
  forbidden: { states: ["inside"], take: ({ chat }, _, now) => chat.forbidden(now) },
});
