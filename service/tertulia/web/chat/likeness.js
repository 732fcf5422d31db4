/**
 * Nicknames that look the same and are not: `paul` and `pauI`, `modern` and `modem`.
 *
 * Nicknames are ASCII, so this is all there is of Unicode's confusables (UTS #39).
 */

import { fold } from "../session/frames.js";

/** Names that are remembered. */
const REMEMBERED = 20_000;

/** Remembers who was seen: one can pass for somebody who has left, too. */
export class Likeness {
  /** @type {Map<string, string>} */
  #first = new Map();
  /**
   * The first other one that looks like it.
   * @type {Map<string, string>}
   */
  #second = new Map();

  /**
   * Note a nickname, as it is written.
   * @param {string} nickname
   */
  see(nickname) {
    const looks = skeleton(nickname);
    const first = this.#first.get(looks);
    if (first === undefined) {
      if (this.#first.size < REMEMBERED) this.#first.set(looks, nickname);
    } else if (fold(first) !== fold(nickname) && !this.#second.has(looks)) {
      this.#second.set(looks, nickname);
    }
  }

  /**
   * Return another nickname that looks like this one, or null.
   * @param {string} nickname
   */
  other(nickname) {
    const looks = skeleton(nickname);
    const first = this.#first.get(looks);
    if (first !== undefined && fold(first) !== fold(nickname)) return first;
    return this.#second.get(looks) ?? null;
  }
}

/**
 * Return what a nickname looks like.
 * @param {string} nickname
 */
function skeleton(nickname) {
  return nickname
    .replace(/[I1]/g, "l")
    .replace(/0/g, "o")
    .toLowerCase()
    .replace(/rn/g, "m")
    .replace(/vv/g, "w");
}
