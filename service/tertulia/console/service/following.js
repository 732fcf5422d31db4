/** Following a stream of events: opened again when it breaks, from exactly where it ended. */

import { Backoff } from "../../web/session/backoff.js";
import { Problem } from "./api.js";
import { EventReader } from "./events.js";

/**
 * @import { Api } from "./api.js"
 * @typedef {"opening" | "live" | "lost" | "refused"} FollowingState
 */

/** Milliseconds without a sign of life, of which there is one every 15 s, after which a stream is dead. */
const SILENCE = 40_000;
/** Milliseconds for which a hidden page goes on: a browser has six connections to a host, for all of its tabs. */
const HIDDEN = 20_000;

export class Following {
  #api;
  #path;
  #onEvent;
  #onState;
  #backoff = new Backoff();
  #ending = new AbortController();
  #reader = new EventReader();
  #wake = () => {};

  /**
   * `onEvent` gets the type and the data of each event; `onState` what the stream's state is, and the service's
   * word where it is refused.
   * @param {object} options
   * @param {Api} options.api
   * @param {string} options.path
   * @param {(type: string, data: any) => void} options.onEvent
   * @param {(state: FollowingState, problem: Problem | null) => void} options.onState
   */
  constructor({ api, path, onEvent, onState }) {
    this.#api = api;
    this.#path = path;
    this.#onEvent = onEvent;
    this.#onState = onState;
    void this.#run();
  }

  /** Follow it no more. */
  end() {
    this.#ending.abort();
    this.#wake();
  }

  async #run() {
    const { signal } = this.#ending;
    this.#onState("opening", null);
    while (!signal.aborted) {
      /** @type {Problem | null} */
      let problem = null;
      try {
        await this.#follow();
      } catch (error) {
        if (error instanceof Problem && error.status !== 0) problem = error;
      }
      if (signal.aborted || problem?.status === 401) return;
      if (document.hidden) {
        await shown(signal);
        continue;
      }
      const isRefused = problem !== null && problem.status !== 429 && problem.status < 500;
      this.#onState(isRefused ? "refused" : "lost", problem);
      const pause = Math.max(this.#backoff.next(), this.#reader.retry / 2);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, pause);
        this.#wake = () => {
          clearTimeout(timer);
          resolve(null);
        };
      });
    }
  }

  /**
   * A fault in showing an event is told to the browser, and loses no stream.
   * @param {string} type
   * @param {string} data
   */
  #tell(type, data) {
    try {
      this.#onEvent(type, parsed(data));
    } catch (error) {
      reportError(error);
    }
  }

  async #follow() {
    const dead = new AbortController();
    const signal = AbortSignal.any([this.#ending.signal, dead.signal]);
    let timer = setTimeout(() => dead.abort(), SILENCE);
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let resting;
    const look = () => {
      clearTimeout(resting);
      if (document.hidden) resting = setTimeout(() => dead.abort(), HIDDEN);
    };
    look();
    document.addEventListener("visibilitychange", look);
    try {
      const { lastId } = this.#reader;
      const body = await this.#api.open(this.#path, { lastId, signal });
      this.#reader = new EventReader(lastId);
      this.#onState("live", null);
      const decoder = new TextDecoder();
      const chunks = body.getReader();
      for (;;) {
        const { done, value } = await chunks.read();
        if (done || signal.aborted) return;
        clearTimeout(timer);
        timer = setTimeout(() => dead.abort(), SILENCE);
        this.#backoff.reset();
        for (const { type, data } of this.#reader.push(decoder.decode(value, { stream: true }))) {
          this.#tell(type, data);
        }
      }
    } finally {
      clearTimeout(timer);
      clearTimeout(resting);
      document.removeEventListener("visibilitychange", look);
    }
  }
}

/**
 * Wait until somebody looks at the page, or nobody wants to know any more.
 * @param {AbortSignal} signal
 */
function shown(signal) {
  return new Promise((resolve) => {
    signal.addEventListener("abort", resolve);
    document.addEventListener("visibilitychange", () => document.hidden || resolve(null), {
      signal,
    });
  });
}

/** @param {string} data */
function parsed(data) {
  try {
    return JSON.parse(data) ?? {};
  } catch {
    return {};
  }
}
