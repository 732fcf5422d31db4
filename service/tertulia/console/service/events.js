/** Server-sent events, as the HTML standard has them in 9.2.6: text in, events out. */

/** @typedef {{ type: string, data: string }} ServerEvent */

export class EventReader {
  #rest = "";
  #type = "";
  /** @type {string[]} */
  #data = [];
  #id = "";
  /** From where to go on: the id behind the last whole event. */
  lastId;
  /** Milliseconds to wait before the next attempt, as the service wants it. */
  retry = 0;

  /** @param {string} lastId where an earlier stream ended */
  constructor(lastId = "") {
    this.#id = this.lastId = lastId;
  }

  /**
   * Take what came, and return the events that are whole.
   * @param {string} text
   * @returns {ServerEvent[]}
   */
  push(text) {
    const events = [];
    // A carriage return at the end may be half of a line's end.
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        const event = this.#dispatch();
        if (event !== null) events.push(event);
      } else this.#field(line);
    }
    return events;
  }

  /** @param {string} line */
  #field(line) {
    const found = /^([^:]*):? ?(.*)$/s.exec(line);
    const [, name = "", value = ""] = found ?? [];
    if (name === "event") this.#type = value;
    else if (name === "data") this.#data.push(value);
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
  }

  #dispatch() {
    this.lastId = this.#id;
    const event = { type: this.#type || "message", data: this.#data.join("\n") };
    const isEmpty = this.#data.length === 0;
    this.#type = "";
    this.#data = [];
    return isEmpty ? null : event;
  }
}
