/** What is known of a room's log: the messages that were asked for, and what has happened since. No document here. */

/** @import { Message } from "../service/bodies.js" */

/** Lines that are kept; older ones are asked for again. */
export const KEPT = 1_000;

/**
 * A message, or something that happened: `kind` is the event's type then, `data` what it says.
 * @typedef {{ key: string, place: string, at: number, nickname: string, text: string,
 *   isAccount: boolean, isRedacted: boolean }} Said
 * @typedef {{ key: string, kind: string, at: number, data: Record<string, any> }} Happened
 * @typedef {Said | Happened} Line
 */

/**
 * Whether a line is a message.
 * @param {Line} line
 * @returns {line is Said}
 */
export function isSaid(line) {
  return "place" in line;
}

export class Lines {
  /** Oldest first. @type {Line[]} */
  all = [];
  /** Before which position there may be more; null: the log begins with the first one. @type {string | null} */
  before = null;
  /** Counts what was changed in lines that were there. */
  changes = 0;
  #epoch = "";
  /** @type {Set<string>} */
  #keys = new Set();
  /** Places that were redacted, perhaps before their message was known. @type {Set<string>} */
  #redacted = new Set();

  /** Forget everything. */
  clear() {
    this.all = [];
    this.before = null;
    this.#keys.clear();
    this.#redacted.clear();
    this.changes += 1;
  }

  /**
   * Take a page of messages from before those that there are. Returns how many are new.
   * @param {{ items: Message[], next: string | null }} page
   */
  came({ items, next }) {
    const older = items.map(saidOf).filter((it) => this.#isNew(it.key));
    for (const it of older) it.isRedacted ||= this.#redacted.has(it.place);
    this.all = [...older, ...this.all];
    // The first page meets what the stream has brought meanwhile: that is in the order of the log, too.
    this.all.sort((a, b) => a.at - b.at || order(a, b));
    this.before = next;
    const [first] = items;
    if (first !== undefined) this.#epoch = first.position.split(":")[0] ?? "";
    return older.length;
  }

  /**
   * Take an event of the stream. Returns whether there is another line.
   * @param {string} type
   * @param {Record<string, any>} data
   */
  happened(type, data) {
    if (type === "redacted") this.#redact(String(data.place));
    if (data.position !== undefined) this.#epoch = String(data.position).split(":")[0] ?? "";
    /** @type {Line} */
    const line =
      type === "said"
        ? saidOf({ ...data, id: data.place })
        : {
            key: `${type} ${data.position} ${data.place ?? data.nickname ?? ""}`,
            kind: type,
            at: data.at === undefined ? this.#gapAt(data) : timeOf(data.at),
            data,
          };
    if (!this.#isNew(line.key)) return false;
    this.all.push(line);
    return true;
  }

  /**
   * Where a gap stands among the others: behind those that were there, or before all that the new log has.
   * @param {Record<string, any>} data
   */
  #gapAt({ entries }) {
    return entries === null ? 0 : (this.all.at(-1)?.at ?? 0);
  }

  /** @param {string} key */
  #isNew(key) {
    if (this.#keys.has(key)) return false;
    this.#keys.add(key);
    return true;
  }

  /** @param {string} place */
  #redact(place) {
    this.#redacted.add(place);
    const line = this.all.find((it) => isSaid(it) && it.place === place);
    if (line === undefined || !isSaid(line)) return;
    line.isRedacted = true;
    line.text = "";
    this.changes += 1;
  }

  /** Forget the oldest lines of too many: for when nobody reads there. */
  trim() {
    if (this.all.length <= KEPT) return;
    const gone = this.all.splice(0, this.all.length - KEPT);
    for (const it of gone) this.#keys.delete(it.key);
    const last = gone.findLast(isSaid);
    // From behind its entry: of that one, some may be here still.
    if (last !== undefined) this.before = `${this.#epoch}:${Number.parseInt(last.place, 10) + 1}`;
    this.changes += 1;
  }
}

/**
 * @param {Record<string, any>} message
 * @returns {Said}
 */
function saidOf(message) {
  return {
    key: `said ${message.id}`,
    place: String(message.id),
    at: timeOf(message.at),
    nickname: String(message.nickname ?? ""),
    text: message.is_redacted ? "" : String(message.text ?? ""),
    isAccount: message.is_account === true,
    isRedacted: message.is_redacted === true,
  };
}

/** @param {unknown} at */
function timeOf(at) {
  const time = typeof at === "number" ? at : Date.parse(String(at));
  return Number.isNaN(time) ? Date.now() : time;
}

/**
 * Two messages of one moment are in the order of their places.
 * @param {Line} a
 * @param {Line} b
 */
function order(a, b) {
  if (!isSaid(a) || !isSaid(b)) return 0;
  const [one, two] = [a, b].map((it) => it.place.split(".").map(Number));
  return (one?.[0] ?? 0) - (two?.[0] ?? 0) || (one?.[1] ?? 0) - (two?.[1] ?? 0);
}
