/** What stands in the message field, read: a command, or a text to say, of one line or several. */

import { BLOCK } from "../chat/spans.js";
import { cleaned, isVisible, MAX_LINES, MAX_TEXT, weight } from "../session/frames.js";

/** @import { Complaint, Outcome } from "./commands.js" */

/** The name that stands for everybody. */
export const EVERYBODY = "G";

/** A slash and a word, whatever that is not seen stands before. */
const COMMAND = /^[\s\p{Default_Ignorable_Code_Point}]*(\/[^\s/]\S*)\s*/u;
/** `//word` says `/word`. */
const ESCAPED = /^([\s\p{Default_Ignorable_Code_Point}]*\/)\/(?=[^\s/])/gmu;

/**
 * Return the command that a text is: its word in small letters, with the slash, and the rest. Or null.
 * @param {string} text
 */
export function commandOf(text) {
  const [all, word] = COMMAND.exec(text) ?? [];
  if (all === undefined || word === undefined) return null;
  return { word: word.toLowerCase(), rest: text.slice(all.length) };
}

/**
 * Return a text as it is to be said: without blanks at the ends of lines, such as a completed name leaves, and
 * without lines before and behind it in which there is nothing to see. Code stays as it is.
 * @param {string} text
 */
export function textOf(text) {
  const said = cleaned(text).split(BLOCK);
  const lines = said
    .map((part, index) => (index % 2 === 1 ? part : part.replace(ESCAPED, "$1")))
    .join("")
    .split("\n")
    .map((line) => (isVisible(line) ? line.trimEnd() : ""));
  return lines.slice(lines.findIndex(Boolean), lines.findLastIndex(Boolean) + 1).join("\n");
}

/**
 * Return why a text can't be one message, or null.
 * @param {string} text
 * @returns {Complaint}
 */
export function tooMuch(text) {
  const count = text.split("\n").length;
  if (count > MAX_LINES) {
    return { key: "write.too_many_lines", values: { count, most: MAX_LINES } };
  }
  const excess = weight(text) - MAX_TEXT;
  return excess > 0 ? { key: "write.too_long", values: { count: excess } } : null;
}

/**
 * Return where a line after the first is like a command, and is no code, or null: who pastes several should
 * not say to everybody what was meant for somebody.
 * @param {string} text
 */
function misplaced(text) {
  const lines = cleaned(text).replace(BLOCK, (code) => code.replace(/[^\n]/g, "x"));
  for (const [index, line] of lines.split("\n").entries()) {
    const word = COMMAND.exec(line)?.[1];
    if (index > 0 && word !== undefined) return { word, line: index + 1 };
  }
  return null;
}

/**
 * Say a text to somebody, null is everybody; unless one of its lines was meant otherwise.
 * @param {string | null} to
 * @param {string} text
 * @param {(to: string | null, text: string) => Outcome} say
 * @returns {Outcome}
 */
export function sayText(to, text, say) {
  const values = misplaced(text);
  if (values !== null) return { key: "write.misplaced", values };
  const said = textOf(text);
  return said === "" ? { key: "write.empty" } : (tooMuch(said) ?? say(to, said));
}
