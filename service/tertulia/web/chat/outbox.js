/**
 * One's own messages, from being typed until it is known what became of them.
 *
 *     waiting ──sent──▶ underway ──answer──▶ (gone from here)
 *        ▲                 │  ├──own copy came──▶ seen ──answer──▶ (gone)
 *        └─not carried out─┘  └──carried out, answer lost──▶ done ──own copy, or time──▶ (gone)
 */

/**
 * A message: `to` is null for everybody; `room` is where it was written; `sentAt` is null until it is sent on this
 * connection.
 * @typedef {object} Entry
 * @property {number} id
 * @property {string | null} to
 * @property {string} text
 * @property {string} room
 * @property {number} at
 * @property {"waiting" | "underway" | "seen" | "done"} state
 * @property {number | null} sentAt
 */

/** Messages that may be here at once. */
export const ROOM = 10_000;

export class Outbox {
  #ids;
  /** Rises with every change. */
  version = 0;
  /** @type {Map<number, Entry>} */
  #entries = new Map();
  #acknowledged = 0;
  /** @type {Entry[]} */
  #waiting = [];
  /** @type {(Entry | { id: null, sentAt: number })[]} */
  #unanswered = [];

  /**
   * `ids` has the number of the next message: outboxes may share it.
   * @param {{ next: number }} ids
   */
  constructor(ids = { next: 1 }) {
    this.#ids = ids;
  }

  /** Return how many messages are here. */
  get size() {
    return this.#entries.size;
  }

  /** When the message that has waited longest for its answer was sent, or null. */
  get oldestSentAt() {
    for (const it of this.#unanswered) return it.sentAt;
    return null;
  }

  /**
   * Take a message; `to` is null for everybody.
   * @param {string | null} to
   * @param {string} text
   * @param {number} now
   * @param {string} room
   */
  add(to, text, now, room = "") {
    const id = this.#ids.next;
    /** @type {Entry} */
    const entry = { id, to, text, room, at: now, state: "waiting", sentAt: null };
    this.#ids.next += 1;
    this.#entries.set(entry.id, entry);
    this.#waiting.push(entry);
    this.version += 1;
    return entry;
  }

  /** Return the messages in their order; those whose own copy was seen are left out. */
  pending() {
    return [...this.#entries.values()].filter((entry) => entry.state !== "seen");
  }

  /**
   * Return what has to be sent on this connection, and take it as sent.
   * @param {number} now
   */
  takeWaiting(now) {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const entry of waiting) {
      entry.state = "underway";
      entry.sentAt = now;
      this.#unanswered.push(entry);
    }
    if (waiting.length > 0) this.version += 1;
    return waiting;
  }

  /**
   * Note that something else was sent that will be answered in its turn.
   * @param {number} sentAt
   */
  sentOther(sentAt) {
    this.#unanswered.push({ id: null, sentAt });
  }

  /**
   * Note that a public message of one's own came by in the log; return whether it is one of these.
   *
   * It is known by its number; of a service of an earlier version, which tells none, by its text.
   * @param {string} text
   * @param {number} [id]
   */
  heard(text, id) {
    if (id !== undefined) {
      const entry = this.#entries.get(id);
      if (entry === undefined || entry.to !== null || entry.state === "waiting") return false;
      return this.#see(entry);
    }
    for (const entry of this.#entries.values()) {
      if (entry.state === "waiting") return false;
      if (entry.to === null && entry.state !== "seen" && entry.text === text)
        return this.#see(entry);
    }
    return false;
  }

  /** @param {Entry} entry */
  #see(entry) {
    if (entry.state === "done") this.#entries.delete(entry.id);
    else entry.state = "seen";
    this.version += 1;
    return true;
  }

  /**
   * Note the answer to a message, and return the message; undefined if it is not known.
   * @param {number} id
   * @param {boolean} isKept
   */
  answered(id, isKept) {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    // Answers come in the order of what they answer: whatever is before it was answered, too.
    const place = this.#unanswered.indexOf(entry);
    this.#unanswered.splice(0, place + 1);
    this.#entries.delete(id);
    if (isKept) this.#acknowledged = Math.max(this.#acknowledged, id);
    this.version += 1;
    return entry;
  }

  /** Note an answer without a number; return the message that it is for, null if it is for none. */
  answeredNext() {
    const entry = this.#unanswered.shift();
    if (entry === undefined || entry.id === null) return null;
    this.#entries.delete(entry.id);
    this.version += 1;
    return entry;
  }

  /** Note that the connection is gone. */
  interrupted() {
    this.#unanswered = [];
  }

  /**
   * Learn from a resumed session's welcome what was carried out.
   *
   * Everything later waits to be sent again. Returned are the messages that nothing more will be
   * learnt about: `unanswered` were carried out, with an answer that was lost; `refused` were not, and
   * why was lost; of `unsure` nobody knows, as the service has forgotten even what it had acknowledged.
   * @param {number} done
   * @param {readonly number[]} refusedIds
   */
  resumed(done, refusedIds = [], isKnown = true) {
    const hasForgotten = !isKnown || done < this.#acknowledged;
    const unanswered = [];
    const refused = [];
    const unsure = [];
    for (const entry of [...this.#entries.values()]) {
      if (entry.state === "waiting") continue;
      if (entry.state === "seen") {
        this.#entries.delete(entry.id); // whatever became of its answer: it is never said twice
      } else if (hasForgotten) {
        this.#entries.delete(entry.id);
        unsure.push(entry);
      } else if (entry.id > done) {
        entry.state = "waiting";
      } else if (refusedIds.includes(entry.id)) {
        this.#entries.delete(entry.id);
        refused.push(entry);
      } else if (entry.to === null) {
        entry.state = "done";
      } else {
        this.#entries.delete(entry.id);
        unanswered.push(entry);
      }
    }
    this.#waiting = this.#inState("waiting");
    this.#acknowledged = Math.min(this.#acknowledged, done);
    this.version += 1;
    return { unanswered, refused, unsure };
  }

  /** Whether there are messages that were carried out and whose own copy has not come by. */
  get hasDone() {
    return this.#inState("done").length > 0;
  }

  /** Give up waiting for the own copies of what was carried out, and return those messages. */
  takeDone() {
    const done = this.#inState("done");
    for (const entry of done) this.#entries.delete(entry.id);
    this.version += 1;
    return done;
  }

  /** Empty this, and return the messages of which it is not known that they were kept. */
  end() {
    const lost = this.pending();
    this.#entries.clear();
    this.#waiting = [];
    this.#unanswered = [];
    this.#acknowledged = 0;
    this.version += 1;
    return lost;
  }

  /** Return what another page needs to go on with this. */
  snapshot() {
    return {
      nextId: this.#ids.next,
      acknowledged: this.#acknowledged,
      entries: [...this.#entries.values()].map(({ id, to, text, room, at, state }) => {
        return { id, to, text, room, at, state };
      }),
    };
  }

  /**
   * Go on with what another page had.
   * @param {ReturnType<Outbox["snapshot"]>} saved
   */
  restore(saved) {
    this.#ids.next = Math.max(this.#ids.next, saved.nextId);
    this.#acknowledged = saved.acknowledged;
    this.#entries = new Map(
      saved.entries.map((entry) => [entry.id, { ...entry, room: entry.room ?? "", sentAt: null }]),
    );
    this.#waiting = this.#inState("waiting");
    this.version += 1;
  }

  /** @param {Entry["state"]} state */
  #inState(state) {
    return [...this.#entries.values()].filter((entry) => entry.state === state);
  }
}
