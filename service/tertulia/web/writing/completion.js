/** What could stand where somebody is writing a word: a name, a room, a command, an emoji. */

import { fold } from "../session/frames.js";
import { COMMANDS } from "./commands.js";

/** @import { Roster } from "../chat/roster.js" */

/**
 * One of several texts that could stand instead of what stands from a place up to the cursor; `words` is
 * how the list has it.
 * @typedef {{ text: string, words: string }} Option
 * @typedef {{ from: number, options: Option[] }} Completion
 */

/**
 * Emoji by name.
 * @typedef {ReadonlyMap<string, string>} Emoji
 */

/** Options, at most. */
export const MOST = 8;

const EMOJI_NAME = /(?<![\p{L}\p{N}:]):([a-z0-9_+-]{2,})$/iu;
const WHOLE_EMOJI = /(?<![\p{L}\p{N}:]):([a-z0-9_+-]+):$/iu;
const COMMAND = /^\s*(\/[^\s/]*)$/;
const RECIPIENT = /^\s*(\/\S+)\s+@?([\w.+-]*)$/;
const MENTION = /(?<!\S)@([\w.+-]+)$/;
const ROOM = /(?<!\S)#([\w.+-]*)$/;
const WORD = /(?<!\S)([\w.+-]+)$/;

/**
 * Return what could complete a text up to the cursor, or null.
 *
 * A bare word is completed to a name on demand only; what begins with a sign that asks for it, always.
 * @param {string} before
 * @param {{ roster: Roster, nickname: string, rooms: string[] }} chat
 * @param {boolean} onDemand
 * @param {Emoji} emoji
 * @returns {Completion | null}
 */
export function complete(before, { roster, nickname, rooms }, onDemand, emoji) {
  /** @type {(typed: string, end: string, start?: string) => Option[]} */
  const names = (typed, end, start = "") =>
    roster
      .matching(typed, MOST + 1)
      .names.filter((name) => name !== nickname && fold(name).startsWith(fold(typed)))
      .map((name) => ({ text: `${start}${name}${end}`, words: name }));

  const sign = EMOJI_NAME.exec(before)?.[1];
  if (sign !== undefined) return found(before, sign.length + 1, emojiLike(sign, emoji));
  const command = COMMAND.exec(before)?.[1];
  if (command !== undefined) return found(before, command.length, commandsLike(command));
  const [, word = "", recipient] = RECIPIENT.exec(before) ?? [];
  if (recipient !== undefined && COMMANDS[word.toLowerCase()]?.takesName) {
    return found(before, recipient.length, names(recipient, " "));
  }
  const mention = MENTION.exec(before)?.[1];
  if (mention !== undefined) return found(before, mention.length, names(mention, " "));
  const room = ROOM.exec(before)?.[1];
  if (room !== undefined) return found(before, room.length + 1, roomsLike(room, rooms));
  const bare = onDemand ? WORD.exec(before)?.[1] : undefined;
  if (bare === undefined) return null;
  const isFirst = before.trim() === bare;
  return found(before, bare.length, names(bare, isFirst ? ": " : " "));
}

/**
 * Return the emoji whose name has just been closed by a colon, and from where it stands; or null.
 * @param {string} before
 * @param {Emoji} emoji
 */
export function closedEmoji(before, emoji) {
  const [all, name = ""] = WHOLE_EMOJI.exec(before) ?? [];
  const text = emoji.get(name.toLowerCase());
  return all === undefined || text === undefined
    ? null
    : { from: before.length - all.length, text };
}

/**
 * @param {string} before
 * @param {number} length
 * @param {Option[]} options
 * @returns {Completion | null}
 */
function found(before, length, options) {
  if (options.length === 0) return null;
  return { from: before.length - length, options: options.slice(0, MOST) };
}

/**
 * @param {string} typed
 * @param {Emoji} emoji
 */
function emojiLike(typed, emoji) {
  const wanted = typed.toLowerCase();
  const names = [...emoji.keys()].filter((name) => name.includes(wanted));
  const first = names.filter((name) => name.startsWith(wanted));
  const others = names.filter((name) => !name.startsWith(wanted));
  return [...first, ...others].map((name) => {
    const text = emoji.get(name) ?? "";
    return { text, words: `${text} :${name}:` };
  });
}

/**
 * @param {string} typed
 * @param {string[]} rooms
 */
function roomsLike(typed, rooms) {
  const names = rooms.filter((it) => it.startsWith(typed.toLowerCase())).sort();
  return names.map((it) => ({ text: `#${it} `, words: `#${it}` }));
}

/** @param {string} typed */
function commandsLike(typed) {
  const words = Object.keys(COMMANDS).filter((word) => word.startsWith(typed.toLowerCase()));
  return words.map((word) => ({ text: `${word} `, words: word }));
}
