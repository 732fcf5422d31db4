/**
 * What was said and what happened, as it is kept in memory: the latest lines, numbered on and on.
 *
 * A line is an object with a `kind` and the time `at` (milliseconds since 1970):
 *
 *     said       nickname, text, own
 *     whispered  nickname, to, text, own, state: "sent", "kept", "undelivered" or "unanswered"
 *     failed     to (null: everybody), text, reason, detail     one's own, not sent
 *     traffic    joined, left: {names, count} each, first       who came and went; which was first
 *     notice     key, values, grave                             the page's own words
 *     day                                                       another day begins
 *
 * and, given here, its number `seq`, and `continues`: whether it goes on what the line before began.
 */

/** Lines that are kept. */
export const KEPT = 10_000;
/** Names of a traffic line that are kept; the others are counted. */
export const NAMED = 3;

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
  #ring = [];
  #touched = new Set();
  #traffic = null;
  #passages = [];

  /** Return a line by its number, or undefined if it is not kept. */
  line(seq) {
    return seq >= this.first && seq < this.end ? this.#ring[seq % KEPT] : undefined;
  }

  /** Add a line at the end and return it. */
  add(line) {
    const last = this.line(this.end - 1);
    if (last !== undefined && !isSameDay(last.at, line.at)) this.#put({ kind: "day", at: line.at });
    line.continues = last !== undefined && isContinued(last, line);
    if (isMessage(line) && !line.own) this.messages += 1;
    return this.#put(line);
  }

  /** Note that somebody came. */
  came(nickname, at) {
    this.#pass("joined", nickname, at);
  }

  /** Note that somebody went. */
  went(nickname, at) {
    this.#pass("left", nickname, at);
  }

  /** Note that a line was changed after it was added. */
  touch(line) {
    this.#touched.add(line.seq);
  }

  /** Return the numbers of the lines that were changed since this was last asked. */
  takeTouched() {
    const touched = this.#touched;
    this.#touched = new Set();
    return touched;
  }

  /** Return the latest line for which a condition holds, or undefined. */
  findLast(condition) {
    for (let seq = this.end - 1; seq >= this.first; seq -= 1) {
      const line = this.line(seq);
      if (condition(line)) return line;
    }
    return undefined;
  }

  /** Return the last so many lines, oldest first. */
  tail(count) {
    const lines = [];
    for (let seq = Math.max(this.first, this.end - count); seq < this.end; seq += 1) {
      lines.push(this.line(seq));
    }
    return lines;
  }

  /** Put back a line that another page had; what it is followed by goes on from it. */
  restore(line) {
    this.#put({ ...line });
  }

  /** Forget everything. */
  clear() {
    this.first = this.end;
    this.#ring = [];
    this.#touched.clear();
    this.#traffic = null;
    this.generation += 1;
  }

  #put(line) {
    line.seq = this.end;
    this.#ring[line.seq % KEPT] = line;
    this.end += 1;
    this.first = Math.max(this.first, this.end - KEPT);
    return line;
  }

  #pass(way, nickname, at) {
    this.#passages.push(at);
    if (this.#passages.length > STORM) this.#passages.shift();
    const line = this.#foldable(at) ?? this.#newTraffic(way, at);
    const passage = line[way];
    passage.count += 1;
    if (passage.names.length < NAMED) passage.names.push(nickname);
    this.touch(line);
  }

  /**
   * Return the line that takes one more who came or went, if there is one.
   *
   * The last line takes them for a while. In a storm a recent one takes them even when messages came
   * in between: else every second line would be of this kind.
   */
  #foldable(at) {
    const line = this.#traffic;
    if (line === null || line.seq < this.first || !isSameDay(line.at, at)) return null;
    const age = at - line.at;
    if (line.seq === this.end - 1) return age < FOLDS_FOR ? line : null;
    const isStorm = this.#passages.length === STORM && at - this.#passages[0] < STORM_SPAN;
    return isStorm && age < FOLDS_ACROSS_FOR ? line : null;
  }

  #newTraffic(first, at) {
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

/** Say whether a line is something that somebody wrote. */
export function isMessage(line) {
  return line.kind === "said" || line.kind === "whispered" || line.kind === "failed";
}

function isContinued(last, line) {
  return (
    (line.kind === "said" || line.kind === "whispered") &&
    last.kind === line.kind &&
    last.nickname === line.nickname &&
    last.to === line.to &&
    line.at - last.at < CONTINUES_FOR
  );
}

function isSameDay(one, other) {
  // The usual case, without making dates of it: most lines are seconds apart.
  if (one === other) return true;
  return new Date(one).toDateString() === new Date(other).toDateString();
}
