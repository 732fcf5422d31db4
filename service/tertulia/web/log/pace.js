/** Whether new lines come slowly enough to be read aloud. */

/** Milliseconds over which lines are counted, and how many of them a listener can follow. */
const SPAN = 3_000;
const BEARABLE = 6;
/** Milliseconds between two summaries. */
const SUMMARY = 5_000;

/**
 * Decides, as lines come, between reading each aloud and telling now and then how many have come.
 */
export class Pace {
  /** Whether lines come too fast to be read. */
  isFlood = false;
  /** @type {{ count: number, now: number }[]} */
  #recent = [];
  #lastSummary = -Infinity;
  #untold = 0;

  /**
   * Note that so many lines have come.
   * @param {number} count
   * @param {number} now
   */
  came(count, now) {
    if (count > 0) this.#recent.push({ count, now });
    while (this.#recent[0] !== undefined && this.#recent[0].now <= now - SPAN) this.#recent.shift();
    this.isFlood = this.#recent.reduce((sum, it) => sum + it.count, 0) > BEARABLE;
  }

  /**
   * Note messages that are not read aloud.
   * @param {number} count
   */
  skipped(count) {
    this.#untold += count;
  }

  /**
   * Return how many messages to tell of in a summary now; 0 for none.
   * @param {number} now
   */
  summary(now) {
    if (this.#untold === 0 || now - this.#lastSummary < SUMMARY) return 0;
    const count = this.#untold;
    this.#untold = 0;
    this.#lastSummary = now;
    return count;
  }
}
