/** What of the log is unread, and where its reader stopped. */

import { isMessage } from "./transcript.js";

/**
 * @import { Said, Transcript, Whispered } from "./transcript.js"
 */

/** Milliseconds for which the mark stays when its reader has it in sight. */
export const GLANCE = 10_000;

export class Reading {
  /** Messages that came while the reader looked away; one's own and those of the past do not count. */
  unread = 0;
  /**
   * The last of them that was meant for the reader: private, or with the reader's name in it.
   * @type {Said | Whispered | null}
   */
  call = null;
  /** How many of them were. */
  calls = 0;
  /**
   * The number of the line above which the mark stands: the first that came since the reader last
   * stopped. It goes when the reader answers, or has had it in sight for a while.
   * @type {number | null}
   */
  mark = null;
  /** Since when it is in sight. @type {number | null} */
  #inSightSince = null;
  #seen = 0;
  #generation = 0;

  /**
   * Look at what has come since the last time. Returns the messages that were meant for the reader.
   *
   * To be called when something has come, and when the reader leaves or comes back: with whether the
   * reader saw it come.
   * @param {Transcript} transcript
   * @param {boolean} isAttending
   */
  look(transcript, isAttending) {
    if (transcript.generation !== this.#generation) {
      this.#generation = transcript.generation;
      this.#seen = transcript.first;
      this.mark = null;
      this.#read();
    }
    const calls = [];
    for (let seq = Math.max(this.#seen, transcript.first); seq < transcript.end; seq += 1) {
      const line = transcript.line(seq);
      if (line === undefined || line.kind === "failed" || !isMessage(line)) continue;
      if (line.own || line.isPast) continue;
      const isCall = line.kind === "whispered" || line.isNamed === true;
      if (isCall) calls.push(line);
      if (isAttending) continue;
      if (this.unread === 0) this.put(seq);
      this.unread += 1;
      if (!isCall) continue;
      this.calls += 1;
      this.call = line;
    }
    this.#seen = transcript.end;
    if (isAttending) this.#read();
    return calls;
  }

  /**
   * Put the mark above a line.
   * @param {number} seq
   */
  put(seq) {
    this.mark = seq;
    this.#inSightSince = null;
  }

  /** Note that the reader says something: what had been read needs no mark any more. */
  answered() {
    if (this.unread === 0) this.mark = null;
  }

  /**
   * Note whether the reader has the mark in sight. Returns in how many milliseconds it goes; null: it does not.
   * @param {boolean} isInSight
   * @param {number} now
   */
  glance(isInSight, now) {
    this.#inSightSince = isInSight ? (this.#inSightSince ?? now) : null;
    if (this.#inSightSince === null) return null;
    const left = this.#inSightSince + GLANCE - now;
    if (left > 0) return left;
    this.mark = null;
    return null;
  }

  /**
   * Go on with the lines of another page, of which so many were read.
   * @param {Transcript} transcript
   * @param {number} count
   */
  goOn(transcript, count) {
    this.#generation = transcript.generation;
    this.#seen = transcript.first + count;
  }

  #read() {
    this.unread = 0;
    this.calls = 0;
    this.call = null;
  }
}
