/** What a token may do, so that nothing is offered that would be refused. */

/** @import { Self } from "../service/bodies.js" */

export class Rights {
  #scopes;
  #rooms;

  /** @param {Self} self */
  constructor({ scopes, rooms }) {
    this.#scopes = new Set(scopes);
    this.#rooms = rooms;
  }

  /** Whether the console has anything for it: a token that may only speak is for programs. */
  get sees() {
    return this.#scopes.has("read") || this.moderates;
  }

  get moderates() {
    return this.#scopes.has("moderate") || this.operates;
  }

  get operates() {
    return this.#scopes.has("operate");
  }

  /** @param {string} room */
  covers(room) {
    return this.#rooms.includes("*") || this.#rooms.includes(room);
  }
}
