/** The own last lines, to be written once more. */

import { fold } from "../session/frames.js";

/** Lines that are remembered. */
const REMEMBERED = 50;

/** What was written, by whom it was for: what was private is not brought back to be said to everybody. */
export class Recall {
  /** @type {{ to: string | null, text: string }[]} */
  #lines = [];
  /** How many lines back one is; 0 is what was being written. */
  #back = 0;

  /**
   * Remember what was written to somebody; null is everybody.
   * @param {string | null} to
   * @param {string} text
   */
  add(to, text) {
    this.#lines.push({ to, text });
    if (this.#lines.length > REMEMBERED) this.#lines.shift();
    this.#back = 0;
  }

  /** Forget everything. */
  clear() {
    this.#lines = [];
    this.#back = 0;
  }

  /**
   * Return the line before (`step` is 1) or after (-1) the one in the field; null where there is none, or
   * where the field has something that was not brought back by this.
   * @param {number} step
   * @param {string} current
   * @param {string | null} to
   */
  move(step, current, to) {
    const key = to === null ? null : fold(to);
    const lines = this.#lines.filter((it) => (it.to === null ? null : fold(it.to)) === key);
    if (this.#back === 0 || lines.at(-this.#back)?.text !== current) {
      if (current !== "") return null;
      this.#back = 0;
    }
    const back = this.#back + step;
    if (back < 0 || back > lines.length) return null;
    this.#back = back;
    return back === 0 ? "" : (lines.at(-back)?.text ?? null);
  }
}
