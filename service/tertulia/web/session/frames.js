/** What goes over the wire, as far as it needs care. docs/protocols/browser.md describes it all. */

/**
 * A place in the chat's log.
 * @typedef {{ epoch: string, offset: number }} Position
 */

/**
 * What the service sends, by type. It is taken at its word: nothing but the type is looked at.
 * `room` is there where it is of a further room.
 * @typedef {object} Frames
 * @property {Position & Welcome & Seat} welcome
 * @property {Position & Welcome & { room: string }} room
 * @property {{ room: string, reason: string, words?: string }} parted
 * @property {{ rooms: RoomInfo[] }} rooms
 * @property {{ reason: string, until?: number, suggestions?: string[] }} refused
 * @property {Position & OfRoom & { at: number, events: RoomEvent[], first?: number }} events
 * @property {Position & OfRoom} missed
 * @property {{ from: string, text: string, at: number, session?: string, id?: number }} whispered
 * @property {{ to: string, text: string, id?: number }} undelivered
 * @property {{ epoch: string } & OfRoom & Page} past
 * @property {{ epoch: string, text: string } & OfRoom & Page} found
 * @property {{ id: number } & OfRoom} sent
 * @property {{ id: number } & OfRoom} kept
 * @property {{ id?: number, action?: string, reason: string, until?: number, words?: string } & OfRoom} failed
 * @property {{ reason: string }} kicked
 * @property {{ reason: string, until?: number }} banned
 * @property {{ reason: string, id?: number } & OfRoom} error
 * @property {{ action: string, outcome: string, seconds?: number }} account
 * @property {{}} slowed
 * @property {{ action?: string } & OfRoom} forbidden
 */

/**
 * @typedef {{ room?: string }} OfRoom
 * @typedef {{ room: string, members: number, topic: string }} RoomInfo
 */

/**
 * What a welcome to the chat says of oneself.
 * @typedef {object} Seat
 * @property {string} nickname
 * @property {string} token
 * @property {string} [session]
 * @property {boolean} [account]
 * @property {"open" | "invited" | "closed"} [registration]
 * @property {number} [heartbeat]
 */

/**
 * What a welcome says of a room.
 * @typedef {object} Welcome
 * @property {boolean} [resumed]
 * @property {number} done
 * @property {number[]} [refused]
 * @property {string[]} members
 * @property {number} [history]
 * @property {"nothing" | "some"} missed
 * @property {boolean} [moderator]
 * @property {string[]} [moderators]
 * @property {Record<string, number>} [mutes]
 * @property {string} [topic]
 * @property {number} [slow]
 * @property {boolean} [accounts_only]
 * @property {boolean} [muted]
 * @property {number} [muted_until]
 * @property {string} [muted_why]
 * @property {string} [owner]
 * @property {boolean} [outsiders]
 */

/**
 * A frame of the service: of one type, or of any.
 * @template {keyof Frames} [Type=keyof Frames]
 * @typedef {{ [It in Type]: { type: It } & Frames[It] }[Type]} Frame
 */

/**
 * What happened in the room.
 * @typedef {{ type: "joined" | "left" | "closed", nickname: string }
 *   | { type: "said" } & Message
 *   | { type: "administrator" }
 *   | { type: "mutes", mutes: Record<string, number> }
 *   | ModerationEvent} RoomEvent
 */

/**
 * What a moderator did: `by`, which is the service's own name for an operator.
 * @typedef {{ type: "muted", nickname: string, by: string, until: number, reason: string }
 *   | { type: "unmuted", nickname: string, by: string }
 *   | { type: "kicked", nickname: string, by: string, reason: string }
 *   | { type: "slow", seconds: number, by: string }
 *   | { type: "accounts_only", on: boolean, by: string }
 *   | { type: "topic", text: string, by: string }
 *   | { type: "redacted", offset: number, index: number, by: string }
 *   | { type: "moderator", nickname: string, on: boolean, by: string }
 *   | { type: "owner", nickname: string }
 *   | { type: "outsiders", on: boolean, by: string }} ModerationEvent
 */

/**
 * What a moderator asks for.
 * @typedef {{ action: "mute", nickname: string, seconds: number, reason: string }
 *   | { action: "unmute", nickname: string }
 *   | { action: "kick", nickname: string, reason: string }
 *   | { action: "slow", seconds: number }
 *   | { action: "accounts_only", on: boolean }
 *   | { action: "topic", text: string }
 *   | { action: "redact", offset: number, index: number }
 *   | { action: "appoint" | "dismiss", nickname: string }
 *   | { action: "outsiders", on: boolean }} Act
 */

/**
 * A public message: its sender's session, the sender's own number for it, and whether the sender had proved
 * to be an account. A service of an earlier version tells no more than nickname and text.
 * @typedef {{ nickname: string, text: string, session?: string, id?: number, account?: boolean, redacted?: boolean }} Message
 */

/**
 * Messages that were said before, oldest first, down to a place; `more`: there may be earlier ones.
 * @typedef {{ before: number, index: number, messages: PastMessage[], more: boolean }} Page
 * @typedef {Omit<Message, "text"> & { offset: number, index: number, at: number, text?: string, redacted?: boolean }} PastMessage
 */

/**
 * What the service is sent.
 * @typedef {{ type: "enter", nickname: string, password?: string, id_token?: string, resume?: Resume, rooms?: Record<string, Position> }
 *   | { type: "say", id: number, text: string } & OfRoom
 *   | { type: "whisper", id: number, to: string, text: string }
 *   | { type: "received", count: number }
 *   | { type: "moderate" } & Act & OfRoom
 *   | { type: "history", before: number, index: number } & OfRoom
 *   | { type: "search", text: string, before?: number, index?: number } & OfRoom
 *   | { type: "join" | "part", room: string }
 *   | { type: "leave" | "close" | "ping" | "rooms" }
 *   | AccountFrame} ClientFrame
 * @typedef {Position & { token: string }} Resume
 */

/**
 * What one asks for about the account of one's nickname.
 * @typedef {{ type: "register", password: string, invitation?: string }
 *   | { type: "change_password", old: string, new: string }
 *   | { type: "delete_account", password: string }
 *   | { type: "log_out_everywhere" }} AccountFrame
 */

/** Bytes of UTF-8 in a text. */
export const MAX_TEXT = 4096;
/** Lines in a text. */
export const MAX_LINES = 50;
/** Combining marks on one letter. */
const MAX_MARKS = 6;

// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what takes them out
const CONTROLS = /[\u0000-\u0008\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;
const MARK = /[\p{Mn}\p{Me}]/u;
/** Marks, and what is not seen between them. */
const MARKS = /[\p{Mn}\p{Me}\p{Cf}]{7,}/gu;

/** Anything but blanks (the Braille one is a symbol) and what is to be ignored where it is not known. */
const SEEN = /[^\s\p{Cc}\p{Cf}\p{M}\p{Default_Ignorable_Code_Point}\u2800]/u;

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
 * The service removes control characters, and more than a few marks on one letter. Doing the same here lets
 * the page recognise its own message when it comes back; whatever ends a line is LF. The same letter is always
 * written with the same signs (NFC).
 * @param {string} text
 */
export function cleaned(text) {
  const lines = text.replace(/\r\n|[\v\f\r\u0085\u2028\u2029]/g, "\n");
  return wellFormed(lines.replace(CONTROLS, "").replace(MARKS, withFewMarks)).normalize();
}

/**
 * Say whether a text shows anything: blanks, joiners, fillers and marks on nothing do not.
 * @param {string} text
 */
export function isVisible(text) {
  return SEEN.test(text);
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
