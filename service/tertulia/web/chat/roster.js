/** Who is in the room. */

import { fold } from "../session/frames.js";

/** The members, oldest first; made for ten thousand of them and hundreds of changes a second. */
export class Roster {
  /** Rises with every change. */
  version = 0;
  /** @type {Map<string, string>} */
  #members = new Map();
  /** @type {string[] | null} */
  #sorted = null;

  /** Return how many are in the room. */
  get size() {
    return this.#members.size;
  }

  /** Return the nickname of the oldest member, who is the administrator; empty if there is nobody. */
  get oldest() {
    for (const nickname of this.#members.values()) return nickname;
    return "";
  }

  /**
   * Take over a list of members, oldest first.
   * @param {string[]} nicknames
   */
  reset(nicknames) {
    this.#members = new Map(nicknames.map((nickname) => [fold(nickname), nickname]));
    this.#changed();
  }

  /**
   * Note that somebody came; nothing changes for who is there already.
   * @param {string} nickname
   */
  add(nickname) {
    const key = fold(nickname);
    if (this.#members.has(key)) return;
    this.#members.set(key, nickname);
    this.#changed();
  }

  /**
   * Note that somebody went.
   * @param {string} nickname
   */
  remove(nickname) {
    if (this.#members.delete(fold(nickname))) this.#changed();
  }

  /**
   * Return a member's nickname as it is shown, whatever the case it is asked for in; or undefined.
   * @param {string} nickname
   */
  find(nickname) {
    return this.#members.get(fold(nickname));
  }

  /** Return all nicknames by alphabet. The list is shared: it is not to be changed. */
  sorted() {
    // Nicknames are ASCII: comparing the keys does, and is far quicker than a collation.
    this.#sorted ??= [...this.#members.keys()].sort().map((key) => this.#members.get(key) ?? key);
    return this.#sorted;
  }

  /**
   * Return the nicknames that contain a text, those that begin with it first; by alphabet.
   *
   * At most `limit` of them; `total` says how many there are.
   * @param {string} text
   * @param {number} limit
   */
  matching(text, limit) {
    const wanted = fold(text);
    if (wanted === "") return { names: this.sorted().slice(0, limit), total: this.size };
    const beginning = [];
    const containing = [];
    for (const nickname of this.sorted()) {
      const at = fold(nickname).indexOf(wanted);
      if (at === 0) beginning.push(nickname);
      else if (at > 0) containing.push(nickname);
    }
    const names = beginning.concat(containing);
    return { names: names.slice(0, limit), total: names.length };
  }

  #changed() {
    this.version += 1;
    this.#sorted = null;
  }
}
