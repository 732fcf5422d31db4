/** Private messages that come a second time, on another connection. */

/** Messages that are remembered. */
export const REMEMBERED = 1_000;

/**
 * Recognises what was heard on a former connection.
 *
 * A private message is written at least once: who lost the connection before confirming it may get it
 * again on the next. The same message twice on one connection was sent twice.
 */
export class Repeats {
  /** @type {string[]} */
  #heard = [];
  /** @type {Map<string, number>} */
  #former = new Map();

  /**
   * Take a message, known by its key; return whether it was heard on a former connection.
   * @param {string} key
   */
  isRepeat(key) {
    const times = this.#former.get(key) ?? 0;
    if (times > 0) {
      if (times === 1) this.#former.delete(key);
      else this.#former.set(key, times - 1);
      return true;
    }
    this.#heard.push(key);
    if (this.#heard.length > REMEMBERED) this.#heard.shift();
    return false;
  }

  /** Note that the connection is gone. */
  interrupted() {
    for (const key of this.#heard) this.#former.set(key, (this.#former.get(key) ?? 0) + 1);
    this.#heard = [];
    // A map keeps the order in which its keys came: the first are the oldest.
    for (const key of this.#former.keys()) {
      if (this.#former.size <= REMEMBERED) break;
      this.#former.delete(key);
    }
  }

  /**
   * Return what another page needs to go on with this.
   * @returns {string[]}
   */
  snapshot() {
    const former = [...this.#former].flatMap(([key, times]) => Array(times).fill(key));
    return [...former, ...this.#heard].slice(-100);
  }

  /**
   * Go on with what another page had.
   * @param {string[]} saved
   */
  restore(saved) {
    this.#heard = saved;
    this.interrupted();
  }
}
