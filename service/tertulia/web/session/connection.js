/** Drives a session: gives it a socket, the time and its deadlines. */

/** @import { Act, Session } from "./session.js" */

/** The status code with which this side closes. */
const DONE = 1000;
export class Connection {
  #session;
  #url;
  #isForeign;
  #onChange;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * `isForeign` asks whether the service lets no page of this origin connect; `onChange` is called after everything
   * that happened to the session.
   * @param {Session} session
   * @param {{ url: URL, isForeign: (url: URL) => Promise<boolean>, onChange: () => void }} options
   */
  constructor(session, { url, isForeign, onChange }) {
    this.#session = session;
    this.#url = url;
    this.#isForeign = isForeign;
    this.#onChange = onChange;
  }

  /**
   * Tell the session something: `step` is called with it and the time; returned is what it returns.
   * @template Result
   * @param {(session: Session, now: number) => Result} step
   */
  tell(step) {
    const now = performance.now(); // the other clock may be set, and then no deadline would hold
    this.#session.clock(Date.now(), now);
    const result = step(this.#session, now);
    for (const it of this.#session.takeActs()) this.#perform(it);
    this.#arm();
    this.#onChange();
    return result;
  }

  /** @param {Act} it */
  #perform(it) {
    switch (it.act) {
      case "open":
        this.#drop();
        this.#open();
        break;
      case "send":
        this.#socket?.send(JSON.stringify(it.frame));
        break;
      case "drop":
        this.#drop();
        break;
      case "ask":
        void this.#ask();
        break;
    }
  }

  #open() {
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    // A socket that was dropped still has things to tell; nobody wants to know.
    /** @type {<E>(step: (event: E) => void) => (event: E) => void} */
    const whileCurrent = (step) => (event) => {
      if (this.#socket === socket) step(event);
    };
    socket.onopen = whileCurrent(() => this.tell((session, now) => session.opened(now)));
    socket.onmessage = whileCurrent(({ data }) =>
      this.tell((session, now) => session.received(data, now)),
    );
    socket.onclose = whileCurrent(({ code, reason }) => {
      this.#socket = null;
      this.tell((session, now) => session.closed(code, reason, now));
    });
  }

  async #ask() {
    const isRefused = await this.#isForeign(this.#url);
    this.tell((session) => session.judged(isRefused));
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(DONE);
  }

  #arm() {
    clearTimeout(this.#timer);
    const { deadline } = this.#session;
    if (deadline === null) return;
    const pause = Math.max(0, deadline - performance.now());
    this.#timer = setTimeout(() => this.tell((session, now) => session.due(now)), pause);
  }
}
