/** Plays the service in front of a session. */

import assert from "node:assert/strict";

import { Session } from "../../service/tertulia/web/session/session.js";

/** @import { Act } from "../../service/tertulia/web/session/session.js" */

/** A session under test with a service in front of it that is played by the test. */
export class Play {
  constructor(random = () => 0) {
    this.session = new Session(random);
    this.now = 1_000_000;
    /** @type {Act[]} */
    this.acts = [];
  }

  /**
   * Let the session take a step, and note what it wants done.
   * @template Result
   * @param {(session: Session, now: number) => Result} step
   */
  do(step) {
    const result = step(this.session, this.now);
    this.acts.push(...this.session.takeActs());
    return result;
  }

  /**
   * Return what it wanted done since this was last asked; a test knows what frames those are.
   * @returns {any[]}
   */
  done() {
    const done = this.acts.map((it) => (it.act === "send" ? it.frame : it.act));
    this.acts = [];
    return done;
  }

  /** @param {...unknown} frames */
  hears(...frames) {
    for (const frame of frames) this.do((it, now) => it.received(JSON.stringify(frame), now));
  }

  /** @param {number} milliseconds */
  passes(milliseconds) {
    const end = this.now + milliseconds;
    while (this.session.deadline !== null && this.session.deadline <= end) {
      this.now = this.session.deadline;
      this.do((it, now) => it.due(now));
    }
    this.now = end;
  }

  enters(nickname = "anna", values = {}) {
    this.do((it, now) => it.enter(nickname, "", now));
    this.do((it, now) => it.opened(now));
    this.hears(welcome({ nickname, members: ["bruno", nickname], ...values }));
    this.done();
  }

  /** Lose the connection and open the next one, up to the question who it is. */
  reopens() {
    this.do((it, now) => it.closed(1006, "", now));
    this.passes(this.pause);
    this.do((it, now) => it.opened(now));
  }

  /**
   * @param {string} text
   * @param {string | null} to
   */
  writes(text, to = null) {
    return this.do((it, now) => it.write(to, text, now));
  }

  /** Return the milliseconds until something is due. */
  get pause() {
    const { deadline } = this.session;
    assert.ok(deadline !== null, "nothing is due");
    return deadline - this.now;
  }

  /**
   * Return the last lines of the log; a test knows of what kind they are.
   * @returns {any[]}
   */
  get lines() {
    return this.session.chat.lobby.transcript.tail(100);
  }

  /** @param {...string} kinds */
  texts(...kinds) {
    return this.lines.filter(({ kind }) => kinds.includes(kind)).map((it) => it.text ?? it.key);
  }
}

/** @param {object} [values] */
export function welcome(values) {
  return {
    type: "welcome",
    nickname: "anna",
    token: "t",
    done: 0,
    members: ["bruno", "anna"],
    epoch: "e",
    offset: 10,
    missed: "nothing",
    heartbeat: 12,
    ...values,
  };
}

/**
 * @param {number} offset
 * @param {...object} list
 */
export function events(offset, ...list) {
  return { type: "events", epoch: "e", offset, at: 1_000_000 + offset, events: list };
}

/** @type {(nickname: string, text: string) => object} */
export const said = (nickname, text) => ({ type: "said", nickname, text });
/** @type {(nickname: string) => object} */
export const joined = (nickname) => ({ type: "joined", nickname });
/** @type {(nickname: string) => object} */
export const left = (nickname) => ({ type: "left", nickname });
