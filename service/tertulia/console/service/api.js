/** Asking the API: with the token in a header, and errors as problems that say what was wrong. */

/** Milliseconds that an answer may take. */
const PATIENCE = 15_000;

/** An error that says for people what was wrong, in the service's words. `kind`: for programs. */
export class Problem extends Error {
  /**
   * `status` 0: nothing answered.
   * @param {number} status
   * @param {string} kind
   * @param {string} detail
   */
  constructor(status, kind, detail) {
    super(detail);
    this.status = status;
    this.kind = kind;
  }
}

export class Api {
  #token;
  #fetch;
  #root;
  #onRefused;
  #onReached;

  /**
   * `root` is the address of `/v1/`. `onRefused` is called when nobody has this token any more, `onReached` with
   * whether the service answered.
   * @param {object} options
   * @param {string} options.token
   * @param {URL} options.root
   * @param {(problem: Problem) => void} options.onRefused
   * @param {(isReached: boolean) => void} options.onReached
   * @param {typeof window.fetch} [options.fetch]
   */
  constructor({ token, root, onRefused, onReached, fetch = window.fetch.bind(window) }) {
    this.#token = token;
    this.#root = root;
    this.#onRefused = onRefused;
    this.#onReached = onReached;
    this.#fetch = fetch;
  }

  /**
   * Ask for something. Throws Problem.
   * @param {string} path
   * @returns {Promise<any>}
   */
  get(path) {
    return this.#ask("GET", path);
  }

  /**
   * Have something set, made or done. Throws Problem: where the answer is lost, it may have been done.
   * @param {"PUT" | "POST" | "DELETE"} method
   * @param {string} path
   * @param {object} [body]
   * @returns {Promise<any>}
   */
  act(method, path, body) {
    return this.#ask(method, path, body);
  }

  /**
   * Open a stream of events. Throws Problem.
   * @param {string} path
   * @param {{ lastId: string, signal: AbortSignal }} from
   */
  async open(path, { lastId, signal }) {
    /** @type {Record<string, string>} */
    const headers = { Accept: "text/event-stream" };
    if (lastId !== "") headers["Last-Event-ID"] = lastId;
    const response = await this.#send(path, { headers, signal });
    if (response.body === null) throw new Problem(0, "unreachable", "");
    return response.body;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   */
  async #ask(method, path, body) {
    /** @type {RequestInit} */
    const request = { method, signal: AbortSignal.timeout(PATIENCE) };
    if (body !== undefined) {
      request.headers = { "Content-Type": "application/json" };
      request.body = JSON.stringify(body);
    }
    const response = await this.#send(path, request);
    if (response.status === 204) return null;
    return response.json().catch(() => null);
  }

  /**
   * @param {string} path
   * @param {RequestInit} request
   */
  async #send(path, request) {
    const headers = { ...request.headers, Authorization: `Bearer ${this.#token}` };
    /** @type {Response} */
    let response;
    try {
      response = await this.#fetch(new URL(path, this.#root), {
        ...request,
        headers,
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
      });
    } catch {
      if (!request.signal?.aborted || request.signal.reason?.name === "TimeoutError") {
        this.#onReached(false);
      }
      throw new Problem(0, "unreachable", "");
    }
    this.#onReached(true);
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (response.status === 401) this.#onRefused(problem);
    throw problem;
  }
}

/** @param {Response} response */
async function problemOf(response) {
  const body = await response.json().catch(() => null);
  const kind = String(body?.type ?? "").replace(/^urn:tertulia:/, "");
  const detail = body?.detail ?? body?.title ?? `${response.status} ${response.statusText}`;
  return new Problem(response.status, kind, String(detail));
}

/**
 * Return a path within `/v1/`, of its steps. Browsers take `.` and `..` for a way up, however they are
 * written: as nicknames they are `@.` and `@..` there. Throws Problem where a step is empty.
 * @param {...string} steps
 */
export function pathOf(...steps) {
  if (steps.includes("")) throw new Problem(0, "no-path", "");
  return steps
    .map((it) => (it === "." || it === ".." ? `@${it}` : encodeURIComponent(it)))
    .join("/");
}
