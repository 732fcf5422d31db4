/** What goes over the wire, as far as it needs care. docs/protocols/browser.md describes it all. */

/**
 * A place in the chat's log.
 * @typedef {{ epoch: string, offset: number }} Position
 */

/**
 * What the service sends, by type. It is taken at its word: nothing but the type is looked at.
 * @typedef {object} Frames
 * @property {Position & Welcome} welcome
 * @property {{ reason: string }} refused
 * @property {Position & { at: number, events: RoomEvent[] }} events
 * @property {Position} missed
 * @property {{ from: string, text: string, at: number }} whispered
 * @property {{ to: string, text: string }} undelivered
 * @property {{ id: number }} sent
 * @property {{ id: number }} kept
 * @property {{ id: number, reason: string }} failed
 * @property {{ reason: string }} kicked
 * @property {{ reason: string }} banned
 * @property {{ reason: string }} error
 * @property {{}} slowed
 * @property {{}} forbidden
 */

/**
 * @typedef {object} Welcome
 * @property {string} nickname
 * @property {string} token
 * @property {boolean} [resumed]
 * @property {number} done
 * @property {string[]} members
 * @property {"nothing" | "some"} missed
 */

/**
 * A frame of the service: of one type, or of any.
 * @template {keyof Frames} [Type=keyof Frames]
 * @typedef {{ [It in Type]: { type: It } & Frames[It] }[Type]} Frame
 */

/**
 * What happened in the room.
 * @typedef {{ type: "joined" | "left" | "closed", nickname: string }
 *   | { type: "said", nickname: string, text: string }
 *   | { type: "administrator" }} RoomEvent
 */

/**
 * What the service is sent.
 * @typedef {{ type: "enter", nickname: string, password?: string, resume?: Resume }
 *   | { type: "say", id: number, text: string }
 *   | { type: "whisper", id: number, to: string, text: string }
 *   | { type: "received", count: number }
 *   | { type: "leave" | "close" }} ClientFrame
 * @typedef {Position & { token: string }} Resume
 */

/** Bytes of UTF-8 in a text. */
export const MAX_TEXT = 4096;
/** Combining marks on one letter. */
const MAX_MARKS = 6;

// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what takes them out
const CONTROLS = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;
const MARK = /[\p{Mn}\p{Me}]/u;
/** Marks, and what is not seen between them. */
const MARKS = /[\p{Mn}\p{Me}\p{Cf}]{7,}/gu;

const encoder = new TextEncoder();

/**
 * Read a frame of the service.
 *
 * Returns an object with a `type`, or null where the text is something else: a newer service may say
 * things that this page does not know.
 * @param {string} text
 * @returns {Frame | null}
 */
export function read(text) {
  let frame;
  try {
    frame = JSON.parse(text);
  } catch {
    return null;
  }
  return typeof frame?.type === "string" ? frame : null;
}

/**
 * Make of what was typed or pasted the text that the service will keep.
 *
 * The service removes control characters, and more than a few marks on one letter. Doing the same here,
 * with a space for a line's end, keeps a pasted paragraph readable, and lets the page recognise its own
 * message when it comes back.
 * @param {string} text
 */
export function cleaned(text) {
  const line = text.replace(/\r\n|[\n\r\u2028\u2029]/g, " ");
  return wellFormed(line.replace(CONTROLS, "").replace(MARKS, withFewMarks));
}

/**
 * Return how many bytes of UTF-8 a text takes.
 * @param {string} text
 */
export function weight(text) {
  return encoder.encode(text).length;
}

/**
 * Return the form under which nicknames are compared: without case. Beyond ASCII none is valid.
 * @param {string} nickname
 */
export function fold(nickname) {
  return nickname.toLowerCase();
}

/** @param {string} signs */
function withFewMarks(signs) {
  let marks = 0;
  return [...signs].filter((sign) => !MARK.test(sign) || ++marks <= MAX_MARKS).join("");
}

/** @param {string} text */
function wellFormed(text) {
  // A surrogate without its half can't be written in UTF-8.
  return text.replace(/[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g, (found) =>
    found.length === 2 ? found : "\ufffd",
  );
}
