/**
 * What a page leaves to the page that follows it in the same tab: who it was, and where it stood.
 *
 * It is written when the page is hidden or goes, and taken out when a page is shown. So loading the
 * page again, or coming back to a tab that the browser had put away, goes on with the session; and a
 * tab that is duplicated while in use does not get hold of the other one's session.
 */

/**
 * @import { Saved } from "./session.js"
 * @import { Line } from "../chat/transcript.js"
 */

/**
 * `rooms` are by name; the lobby's is empty. `draft` is what was being written, and to whom: null is everybody. Of
 * the lines, so many were `read`.
 * @typedef {{ snapshot: Saved, rooms: Record<string, Talk> }} Left
 * @typedef {{ lines: Line[], read: number, draft: Draft }} Talk
 * @typedef {{ to: string | null, text: string }} Draft
 * @typedef {Pick<Storage, "getItem" | "setItem" | "removeItem">} Shelf
 */

const KEY = "tertulia";
/** Milliseconds for which the service knows a session's token. */
const GOOD_FOR = 3_600_000;
/** Lines of a log that are left, and of all of them. */
const LINES = 300;
const ALL_LINES = 3_000;

/**
 * Return how many lines of each log are left, of so many rooms.
 * @param {number} count
 */
export function share(count) {
  return Math.min(LINES, Math.ceil(ALL_LINES / count));
}

/**
 * Leave something behind. A browser that forbids it, or is full, only can't go on later.
 * @param {Shelf} storage
 * @param {Left} left
 * @param {number} now
 */
export function leave(storage, left, now) {
  try {
    storage.setItem(KEY, JSON.stringify({ ...left, at: now }));
  } catch {
    forget(storage);
  }
}

/**
 * Take what was left, or null where there is nothing, or nothing of use. It is gone then.
 * @param {Shelf} storage
 * @param {number} now
 * @returns {Left | null}
 */
export function take(storage, now) {
  try {
    const left = JSON.parse(storage.getItem(KEY) ?? "null");
    storage.removeItem(KEY);
    if (left === null || now - left.at >= GOOD_FOR) return null;
    // The version before knew the lobby alone.
    const { lines, read, draft, snapshot, rooms = { "": { lines, read, draft } } } = left;
    return { snapshot, rooms };
  } catch {
    return null;
  }
}

/**
 * Leave nothing.
 * @param {Shelf} storage
 */
export function forget(storage) {
  try {
    storage.removeItem(KEY);
  } catch {
    // There is no storage, so nothing is in it.
  }
}
