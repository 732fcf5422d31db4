/** How far back one knows what was said, and what of it is asked for: one thing at a time. */

/**
 * @import { ClientFrame, Frame, PastMessage, Position, Welcome } from "../session/frames.js"
 * @typedef {{ epoch: string, offset: number, index: number }} Place
 */

/**
 * What is searched for, and what was found: oldest first. `isOver`: the log begins there.
 * @typedef {{ text: string, messages: PastMessage[], before: Place | null, isOver: boolean }} Search
 */

export class Past {
  /** Rises with every change. */
  version = 0;
  /** Whether the service tells what was said before. */
  isTold = false;
  /** Whether the log begins where one has come. */
  isWhole = false;
  /** @type {Search | null} */
  search = null;
  /** @type {"earlier" | "search" | null} */
  #asked = null;
  /** Whether what newcomers read is still to come: it is no answer. */
  #isNewcomer = false;
  /** Whether nothing is here to look back from but what newcomers read. */
  #isAnew = false;
  /** @type {Set<"earlier" | "search">} */
  #wanted = new Set();
  /**
   * Down to where one knows everything.
   * @type {Place | null}
   */
  #from = null;

  /** Whether an answer, or its turn, is waited for. */
  get isReading() {
    return this.#asked === "earlier" || this.#wanted.has("earlier");
  }

  get isSearching() {
    return this.#asked === "search" || this.#wanted.has("search");
  }

  /** Whether an answer is waited for. */
  get isAsked() {
    return this.#asked !== null;
  }

  /**
   * Take a welcome: everything from a place on is known, or will be.
   * @param {Position & Welcome} frame
   * @param {Place | null} from the oldest message that is still here
   * @param {boolean} isFromBeginning whether it is the log's first
   */
  welcomed({ history = 0, epoch, offset, resumed = false }, from, isFromBeginning) {
    this.isTold = history > 0;
    this.#isNewcomer = this.isTold && !resumed;
    this.#isAnew = from?.epoch !== epoch;
    if (from === null || this.#isAnew) {
      this.#from = { epoch, offset: offset + 1, index: 0 };
      this.isWhole = false;
    } else if (this.#from === null || this.#from.epoch !== epoch) {
      this.#from = from;
      this.isWhole = isFromBeginning;
    }
    this.version += 1;
  }

  /** Note that the connection is gone: what was asked for will not come. */
  interrupted() {
    this.#asked = null;
    this.#isNewcomer = false;
    this.#wanted.clear();
    this.version += 1;
  }

  /** Forget everything. */
  ended() {
    this.interrupted();
    this.isTold = this.isWhole = false;
    this.#from = this.search = null;
  }

  /** Whether there may be something earlier to ask for. */
  get hasEarlier() {
    return this.isTold && !this.#isNewcomer && !this.isWhole && this.#from !== null;
  }

  /** Ask for what was said before. Returns whether there may be something. */
  wantEarlier() {
    if (!this.hasEarlier) return false;
    if (this.#asked !== "earlier") this.#wanted.add("earlier");
    this.version += 1;
    return true;
  }

  /**
   * Ask where a text was said; an empty one ends the search.
   * @param {string} text
   */
  wantSearch(text) {
    this.search = text === "" ? null : { text, messages: [], before: null, isOver: false };
    this.#wanted.delete("search");
    if (this.search !== null && this.isTold) this.#wanted.add("search");
    this.version += 1;
  }

  /** Ask where else, further back. */
  wantMoreFound() {
    if (this.search !== null && !this.search.isOver) this.#wanted.add("search");
    this.version += 1;
  }

  /**
   * Return what is to be sent, and take it as sent; null where there is nothing, or not yet.
   * @returns {ClientFrame | null}
   */
  takeFrame() {
    if (this.#asked !== null) return null;
    const [wanted] = this.#wanted;
    if (wanted === undefined) return null;
    this.#wanted.delete(wanted);
    this.#asked = wanted;
    if (wanted === "earlier" && this.#from !== null) {
      return { type: "history", before: this.#from.offset, index: this.#from.index };
    }
    if (this.search === null) return null;
    const { text, before } = this.search;
    if (before === null) return { type: "search", text };
    return { type: "search", text, before: before.offset, index: before.index };
  }

  /**
   * Take a `past` frame. Returns whether it is what was asked for: earlier than all that is known.
   * @param {Omit<Frame<"past">, "type">} frame
   */
  came({ epoch, before, index, more }) {
    const isAnswer = !this.#isNewcomer && this.#asked === "earlier";
    if (isAnswer) this.#asked = null;
    this.#isNewcomer = false;
    const isOfThis = this.#from?.epoch === epoch;
    const isFurther = isAnswer || this.#isAnew;
    if (isFurther && isOfThis && isBefore({ offset: before, index }, this.#from)) {
      this.#from = { epoch, offset: before, index };
      this.isWhole = !more;
    } else if (isAnswer) {
      this.isWhole = true; // Redis lost what was before
    }
    this.version += 1;
    return isAnswer && isOfThis;
  }

  /**
   * Take a `found` frame.
   * @param {Frame<"found">} frame
   */
  found({ text, epoch, before, index, messages, more }) {
    this.#asked = null;
    const { search } = this;
    if (search !== null && search.text === text) {
      search.messages = [...messages, ...search.messages];
      search.before = { epoch, offset: before, index };
      search.isOver = !more;
      // A stretch of the log in which there is nothing is no answer yet.
      if (more && search.messages.length === 0) this.#wanted.add("search");
    }
    this.version += 1;
  }

  /**
   * Find a message no more: it was withdrawn.
   * @param {Place} place
   */
  withdraw({ epoch, offset, index }) {
    if (this.search?.before?.epoch !== epoch) return;
    const { messages } = this.search;
    this.search.messages = messages.filter((it) => it.offset !== offset || it.index !== index);
    this.version += 1;
  }

  /** Note that the service refused what was asked. */
  failed() {
    this.#asked = null;
    this.version += 1;
  }
}

/**
 * @param {{ offset: number, index: number }} one
 * @param {{ offset: number, index: number } | null} other
 */
export function isBefore(one, other) {
  if (other === null) return true;
  return one.offset < other.offset || (one.offset === other.offset && one.index < other.index);
}
