/**
 * Whether the service is there: it is heard from at least as often as it pings. Where it is late, it is
 * asked; where it does not answer that, the connection is dead, whatever the browser says.
 */

/** Milliseconds that a ping of the service may be late before it is asked. */
const LATE = 4_000;
/** Milliseconds for it to answer. */
const ANSWER = 6_000;

export class Pulse {
  /**
   * Milliseconds between two pings; null where nobody can tell, as the service does not say so.
   * @type {number | null}
   */
  #every = null;
  #heardAt = 0;
  /** @type {number | null} */
  #askedAt = null;

  /** Whether it was asked, and has not been heard since. */
  get isAsked() {
    return this.#askedAt !== null;
  }

  /** Whether it can be asked. */
  get canAsk() {
    return this.#every !== null && this.#askedAt === null;
  }

  /** When it is to be asked, or given up where it was; null for never. */
  get deadline() {
    if (this.#every === null) return null;
    return this.#askedAt === null ? this.#heardAt + this.#every + LATE : this.#askedAt + ANSWER;
  }

  /**
   * Begin to listen to a service that pings every so many seconds, if it says so.
   * @param {number | undefined} seconds
   * @param {number} now
   */
  begin(seconds, now) {
    this.#every = seconds === undefined ? null : seconds * 1_000;
    this.heard(now);
  }

  /**
   * Note that the service was heard.
   * @param {number} now
   */
  heard(now) {
    this.#heardAt = now;
    this.#askedAt = null;
  }

  /**
   * Note that the service is asked.
   * @param {number} now
   */
  asked(now) {
    this.#askedAt = now;
  }
}
