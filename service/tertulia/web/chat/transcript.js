/**
 * What was said and what happened, as it is kept in memory: the latest lines, numbered on and on. What
 * was said before the first of them is put before it, and numbered down.
 */

import { fold } from "../session/frames.js";

/**
 * @import { Values } from "../texts/phrases.js"
 * @import { Key } from "../texts/texts.js"
 * @import { Place } from "./past.js"
 */

/**
 * A line; `at` is when that was, in milliseconds since 1970. Given here: its number `seq`, and whether it
 * `continues` what the line before began. `isPast`: it was said before the reader came, or while away.
 * @typedef {Said | Whispered | Failed | Traffic | Notice | Day} Line
 * @typedef {{ at: number, continues?: boolean, isPast?: boolean }} Common
 */

/**
 * A public message; `place` is where it stands in the chat's log; `isNamed`: the reader's name is in it;
 * `isRedacted`: its text was withdrawn.
 * @typedef {Common & Author & { kind: "said", place?: Place, isNamed?: boolean, isRedacted?: boolean }} Said
 * @typedef {{ nickname: string, text: string, own: boolean }} Author
 */

/**
 * A private message; `state` is what became of one's own.
 * @typedef {Common & { kind: "whispered", nickname: string, to: string, text: string, own: boolean, state?: Fate, id?: number }} Whispered
 * @typedef {"sent" | "kept" | "undelivered" | "unanswered"} Fate
 */

/**
 * A message of one's own that was not sent; `to` is null for everybody.
 * @typedef {Common & { kind: "failed", nickname: string, to: string | null, text: string, reason: string, detail: string, until?: number, own: true }} Failed
 */

/**
 * Who came and went, and which was first; `returned` and `passed` did both, in this order or the other. A
 * few are named, all are counted.
 * @typedef {Common & { kind: "traffic", first: Way, joined: Passage, left: Passage, returned?: Passage,
 *   passed?: Passage }} Traffic
 * @typedef {"joined" | "left"} Way
 * @typedef {{ names: string[], count: number }} Passage
 */

/**
 * The page's own words.
 * @typedef {Common & { kind: "notice", key: Key, values: Values, grave: boolean }} Notice
 */

/**
 * Another day begins.
 * @typedef {Common & { kind: "day" }} Day
 */

/**
 * @template {Line} It
 * @typedef {It & { seq: number }} Numbered
 */

/** Lines that are kept, and how many more of those that were put before the first one. */
export const KEPT = 10_000;
export const PRECEDING = 10_000;
/** Names of a traffic line that are kept; the others are counted. */
export const NAMED = 3;

/** People of a traffic line who are known, so that who comes and goes is told once. */
const KNOWN = 200;

/** Milliseconds for which one more who comes or goes is added to the last line. */
const FOLDS_FOR = 10_000;
/** The same in a storm, when messages came in between. */
const FOLDS_ACROSS_FOR = 2_000;
/** A storm: so many who come or go within so many milliseconds. */
const STORM = 5;
const STORM_SPAN = 1_000;
/** Milliseconds for which a message goes on what the same person said before. */
const CONTINUES_FOR = 180_000;

export class Transcript {
  /** The number of the oldest line that is kept. */
  first = 0;
  /** The number that the next line will have. */
  end = 0;
  /** How many messages there ever were, one's own not counted. */
  messages = 0;
  /** Rises whenever everything before is gone. */
  generation = 0;
  /** @type {Map<number, Numbered<Line>>} */
  #lines = new Map();
  /** How many of them are kept. */
  #kept = KEPT;
  /** @type {Set<number>} */
  #touched = new Set();
  /** @type {Numbered<Traffic> | null} */
  #traffic = null;
  /**
   * Who is in that line: which way they went first, and which last.
   * @type {Map<string, { nickname: string, first: Way, last: Way }>}
   */
  #passing = new Map();
  /** @type {number[]} */
  #passages = [];

  /**
   * Return a line by its number, or undefined if it is not kept.
   * @param {number} seq
   */
  line(seq) {
    return this.#lines.get(seq);
  }

  /**
   * Add a line at the end and return it.
   * @template {Line} It
   * @param {It} line
   */
  add(line) {
    const last = this.line(this.end - 1);
    if (last !== undefined && !isSameDay(last.at, line.at)) this.#put({ kind: "day", at: line.at });
    line.continues = last !== undefined && isContinued(last, line);
    if (isMessage(line) && !line.own) this.messages += 1;
    return this.#put(line);
  }

  /** How many lines can still be put before the first one. */
  get roomBefore() {
    return KEPT + PRECEDING - (this.end - this.first);
  }

  /**
   * Put older lines before the first one, oldest first; each day under its name.
   * @param {Line[]} lines
   */
  precede(lines) {
    const dated = lines.flatMap((line, index) => {
      const last = lines[index - 1];
      line.continues = last !== undefined && isContinued(last, line);
      const isNewDay = last === undefined || !isSameDay(last.at, line.at);
      return isNewDay ? [/** @type {Day} */ ({ kind: "day", at: line.at }), line] : [line];
    });
    const last = lines.at(-1);
    if (last === undefined) return;
    const next = this.line(this.first);
    const isUnnamed = next !== undefined && next.kind !== "day" && !isSameDay(last.at, next.at);
    if (isUnnamed) dated.push({ kind: "day", at: next.at });
    // The day that the next line was under began earlier: its name stands further up now.
    const isSameName = next?.kind === "day" && isSameDay(last.at, next.at);
    if (isSameName) this.#touched.add(this.first);
    let seq = isSameName ? this.first : this.first - 1;
    for (const line of dated.reverse()) {
      this.#lines.set(seq, Object.assign(line, { seq }));
      seq -= 1;
    }
    this.first = seq + 1;
    this.#kept = Math.max(this.#kept, this.end - this.first);
  }

  /**
   * Note that somebody came.
   * @param {string} nickname
   * @param {number} at
   */
  came(nickname, at) {
    this.#pass("joined", nickname, at);
  }

  /**
   * Note that somebody went.
   * @param {string} nickname
   * @param {number} at
   */
  went(nickname, at) {
    this.#pass("left", nickname, at);
  }

  /**
   * Note that a line was changed after it was added.
   * @param {Numbered<Line>} line
   */
  touch(line) {
    this.#touched.add(line.seq);
  }

  /** Return the numbers of the lines that were changed since this was last asked. */
  takeTouched() {
    const touched = this.#touched;
    this.#touched = new Set();
    return touched;
  }

  /**
   * Return the latest line for which a condition holds, or undefined.
   * @param {(line: Numbered<Line>) => boolean} condition
   */
  findLast(condition) {
    for (let seq = this.end - 1; seq >= this.first; seq -= 1) {
      const line = this.line(seq);
      if (line !== undefined && condition(line)) return line;
    }
    return undefined;
  }

  /**
   * Return the last so many lines, oldest first.
   * @param {number} count
   */
  tail(count) {
    const lines = [];
    for (let seq = Math.max(this.first, this.end - count); seq < this.end; seq += 1) {
      const line = this.line(seq);
      if (line !== undefined) lines.push(line);
    }
    return lines;
  }

  /**
   * Put back a line that another page had; what it is followed by goes on from it.
   * @param {Line} line
   */
  restore(line) {
    this.#put({ ...line });
  }

  /** Forget everything. */
  clear() {
    this.first = this.end;
    this.#lines.clear();
    this.#kept = KEPT;
    this.#touched.clear();
    this.#traffic = null;
    this.generation += 1;
  }

  /**
   * @template {Line} It
   * @param {It} line
   * @returns {Numbered<It>}
   */
  #put(line) {
    const numbered = Object.assign(line, { seq: this.end });
    this.#lines.set(numbered.seq, numbered);
    this.end += 1;
    for (; this.end - this.first > this.#kept; this.first += 1) this.#lines.delete(this.first);
    return numbered;
  }

  /**
   * @param {Way} way
   * @param {string} nickname
   * @param {number} at
   */
  #pass(way, nickname, at) {
    this.#passages.push(at);
    if (this.#passages.length > STORM) this.#passages.shift();
    const line = this.#foldable(at) ?? this.#newTraffic(way, at);
    const known = this.#passing.get(fold(nickname));
    if (known === undefined) {
      if (this.#passing.size < KNOWN) {
        this.#passing.set(fold(nickname), { nickname, first: way, last: way });
      }
      const passage = line[way];
      passage.count += 1;
      if (passage.names.length < NAMED) passage.names.push(nickname);
    } else if (known.last !== way) {
      const before = inWords(known);
      known.last = way;
      this.#recount(line, before, -1);
      this.#recount(line, inWords(known), 1);
    }
    this.touch(line);
  }

  /**
   * Count one more or less of those who came or went in one way, and name the first of them.
   * @param {Numbered<Traffic>} line
   * @param {Way | "returned" | "passed"} way
   * @param {number} change
   */
  #recount(line, way, change) {
    const count = (line[way]?.count ?? 0) + change;
    const all = [...this.#passing.values()].filter((it) => inWords(it) === way);
    line[way] = { count, names: all.slice(0, NAMED).map((it) => it.nickname) };
  }

  /**
   * Return the line that takes one more who came or went, if there is one.
   *
   * The last line takes them for a while. In a storm a recent one takes them even when messages came
   * in between: else every second line would be of this kind.
   * @param {number} at
   */
  #foldable(at) {
    const line = this.#traffic;
    if (line === null || line.seq < this.first || !isSameDay(line.at, at)) return null;
    const age = at - line.at;
    if (line.seq === this.end - 1) return age < FOLDS_FOR ? line : null;
    const [oldest] = this.#passages;
    const isStorm =
      oldest !== undefined && this.#passages.length === STORM && at - oldest < STORM_SPAN;
    return isStorm && age < FOLDS_ACROSS_FOR ? line : null;
  }

  /**
   * @param {Way} first
   * @param {number} at
   */
  #newTraffic(first, at) {
    this.#passing.clear();
    this.#traffic = this.add({
      kind: "traffic",
      at,
      first,
      joined: { names: [], count: 0 },
      left: { names: [], count: 0 },
    });
    return this.#traffic;
  }
}

/**
 * Say whether a line is something that somebody wrote.
 * @param {Line} line
 * @returns {line is Said | Whispered | Failed}
 */
export function isMessage(line) {
  return line.kind === "said" || line.kind === "whispered" || line.kind === "failed";
}

/** @param {{ first: Way, last: Way }} passing */
function inWords({ first, last }) {
  if (first === last) return first;
  return first === "joined" ? "passed" : "returned";
}

/**
 * @param {Line} last
 * @param {Line} line
 */
function isContinued(last, line) {
  const isToTheSame =
    (line.kind === "said" && last.kind === "said") ||
    (line.kind === "whispered" && last.kind === "whispered" && last.to === line.to);
  return isToTheSame && last.nickname === line.nickname && line.at - last.at < CONTINUES_FOR;
}

/**
 * @param {number} one
 * @param {number} other
 */
function isSameDay(one, other) {
  // The usual case, without making dates of it: most lines are seconds apart.
  if (one === other) return true;
  return new Date(one).toDateString() === new Date(other).toDateString();
}
