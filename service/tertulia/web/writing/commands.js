/** What can be done by writing: `/msg anna …`, and so on. `/help` shows this table. */

import { roomNamed } from "../rooms/names.js";
import { cleaned, isVisible } from "../session/frames.js";
import { EVERYBODY, sayText } from "./lines.js";

/**
 * @import { Values } from "../texts/phrases.js"
 * @import { Key } from "../texts/texts.js"
 */

/**
 * Why something was not done, in the page's words, and how it is written; null where it was done.
 * @typedef {{ key: Key, values?: Values, usage?: Key } | null} Complaint
 * @typedef {Complaint | Promise<Complaint>} Outcome
 */

/**
 * What the page does for commands. `to` is null for everybody.
 * @typedef {object} Deeds
 * @property {(to: string | null, text: string) => Outcome} say
 * @property {(to: string | null) => void} turnTo
 * @property {() => string | null} recipient
 * @property {() => string} ownName
 * @property {(nickname: string) => Outcome} rename
 * @property {() => void} leave
 * @property {() => void} help
 * @property {(text: string) => void} search
 * @property {() => string} room
 * @property {(name: string) => void} join
 * @property {(name: string) => void} part
 * @property {() => void} rooms
 * @property {(text: string) => void} topic
 */

/**
 * `usage` and `help` are shown by `/help`; `takesName`: it begins with somebody's name.
 * @typedef {object} Command
 * @property {Key} usage
 * @property {Key} help
 * @property {boolean} [takesName]
 * @property {(rest: string, deeds: Deeds) => Outcome} run
 */

/**
 * By word, with its slash.
 * @type {Readonly<Record<string, Command>>}
 */
export const COMMANDS = Object.freeze({
  "/msg": { usage: "command.msg_usage", help: "command.msg", takesName: true, run: message },
  "/me": { usage: "command.me_usage", help: "command.me", run: act },
  "/nick": { usage: "command.nick_usage", help: "command.nick", run: rename },
  "/join": { usage: "command.join_usage", help: "command.join", run: join },
  "/part": { usage: "command.part_usage", help: "command.part", run: part },
  "/rooms": {
    usage: "command.rooms_usage",
    help: "command.rooms",
    run: (_, deeds) => done(deeds.rooms()),
  },
  "/topic": { usage: "command.topic_usage", help: "command.topic", run: topic },
  "/leave": {
    usage: "command.leave_usage",
    help: "command.leave",
    run: (_, deeds) => done(deeds.leave()),
  },
  "/search": {
    usage: "command.search_usage",
    help: "command.search",
    run: (rest, deeds) => done(deeds.search(rest.trim())),
  },
  "/help": {
    usage: "command.help_usage",
    help: "command.help",
    run: (_, deeds) => done(deeds.help()),
  },
});

/** Other words for them, as people know them from elsewhere. */
const ALIASES = new Map([
  ["/query", "/msg"],
  ["/tell", "/msg"],
  ["/to", "/msg"],
  ["/w", "/msg"],
  ["/whisper", "/msg"],
  ["/find", "/search"],
  ["/j", "/join"],
  ["/list", "/rooms"],
  ["/exit", "/leave"],
  ["/quit", "/leave"],
  ["/?", "/help"],
]);

/** What is asked of `G` about accounts, where there are no dialogs. */
const OF_ACCOUNTS = /^(?:(?:un)?register|password)\b/i;

/**
 * Do a command.
 * @param {{ word: string, rest: string }} written
 * @param {Deeds} deeds
 * @returns {Outcome}
 */
export function carryOut({ word, rest }, deeds) {
  const name = ALIASES.get(word) ?? word;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) return { key: "write.unknown_command", values: { word } };
  return command.run(rest, deeds);
}

/**
 * Write to one person in private; without a text, go on writing to them.
 * @param {string} rest
 * @param {Deeds} deeds
 */
function message(rest, deeds) {
  // "/msg @anna: hello" is meant well.
  const [, name, text = ""] = /^@?(\S+?)[:,]?(?:\s+(.*))?$/s.exec(rest.trim()) ?? [];
  if (name === undefined) return wrong("command.msg_usage");
  const to = name.toUpperCase() === EVERYBODY ? null : name;
  if (!isVisible(text)) return done(deeds.turnTo(to));
  // In other dialects one writes to G in private so, and a password is in it.
  if (to !== null || !OF_ACCOUNTS.test(text)) return sayText(to, text, deeds.say);
  return /** @type {Complaint} */ ({ key: "write.for_everybody" });
}

/**
 * Say what one does, in a form that every client can read.
 * @param {string} rest
 * @param {Deeds} deeds
 */
function act(rest, deeds) {
  if (!isVisible(rest)) return wrong("command.me_usage");
  return sayText(deeds.recipient(), `* ${deeds.ownName()} ${rest.trim()}`, deeds.say);
}

/**
 * Come in under another name.
 * @param {string} rest
 * @param {Deeds} deeds
 */
function rename(rest, deeds) {
  const name = rest.trim();
  return /^\S+$/.test(name) ? deeds.rename(name) : wrong("command.nick_usage");
}

/**
 * Come into a further room, or go to it.
 * @param {string} rest
 * @param {Deeds} deeds
 */
function join(rest, deeds) {
  const name = roomNamed(rest.trim());
  return name === null ? wrong("command.join_usage") : done(deeds.join(name));
}

/**
 * Leave a further room, this one or another. In the lobby, it is the chat that is left.
 * @param {string} rest
 * @param {Deeds} deeds
 */
function part(rest, deeds) {
  const typed = rest.trim();
  const name = typed === "" ? deeds.room() : roomNamed(typed);
  if (name === null) return wrong("command.part_usage");
  return done(name === "" ? deeds.leave() : deeds.part(name));
}

/**
 * Set the room's topic.
 * @param {string} rest
 * @param {Deeds} deeds
 */
function topic(rest, deeds) {
  if (!isVisible(rest)) return wrong("command.topic_usage");
  return done(deeds.topic(cleaned(rest).replace(/\s+/g, " ").trim()));
}

/**
 * @param {Key} usage
 * @returns {Complaint}
 */
function wrong(usage) {
  return { key: "write.usage", usage };
}

/**
 * @param {void} _
 * @returns {Complaint}
 */
function done(_) {
  return null;
}
