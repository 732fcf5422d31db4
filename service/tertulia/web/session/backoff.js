/** How long to wait before the next attempt to connect. */

/** Milliseconds before the first attempt, at most. */
export const BASE = 500;
/** Milliseconds between two attempts, at most. */
export const MAX = 15_000;

/**
 * Pauses that double, each shortened by chance by up to a half, so that those who were thrown out
 * together do not come back together.
 */
export class Backoff {
  #attempts = 0;
  #random;

  /**
   * `random` gives numbers from 0 up to 1.
   * @param {() => number} random
   */
  constructor(random = Math.random) {
    this.#random = random;
  }

  /** Return the milliseconds to wait now. */
  next() {
    const pause = Math.min(MAX, BASE * 2 ** this.#attempts);
    this.#attempts += 1;
    return pause * (1 - this.#random() / 2);
  }

  /** Begin anew with a short pause. */
  reset() {
    this.#attempts = 0;
  }
}
