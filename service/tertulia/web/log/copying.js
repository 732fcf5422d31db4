/** What is copied from the log: whole lines, each with its time and author. */

import { wordsOf } from "./line.js";

/**
 * @import { Manner } from "./line.js"
 * @import { Transcript } from "../chat/transcript.js"
 */

/**
 * Return the lines that are selected, one a line; or null where it is less than two of them: then what is
 * selected is copied as it is.
 * @param {Selection | null} selection
 * @param {HTMLElement} list
 * @param {Transcript} transcript
 * @param {Manner} manner
 */
export function copied(selection, list, transcript, manner) {
  if (selection === null || selection.isCollapsed || selection.rangeCount === 0) return null;
  const range = selection.getRangeAt(0);
  if (!range.intersectsNode(list)) return null;
  const first = seqAt(range, "start", list) ?? transcript.first;
  const last = seqAt(range, "end", list) ?? transcript.end - 1;
  if (last <= first) return null;
  const words = [];
  for (let seq = first; seq <= last; seq += 1) {
    const line = transcript.line(seq);
    if (line !== undefined) words.push(wordsOf(line, manner));
  }
  return words.join("\n");
}

/**
 * Return the number of the line in which a range starts or ends, or null where that is in no line.
 * @param {Range} range
 * @param {"start" | "end"} side
 * @param {HTMLElement} list
 */
function seqAt(range, side, list) {
  const container = range[`${side}Container`];
  const inside =
    container.childNodes[range[`${side}Offset`] - (side === "end" ? 1 : 0)] ?? container;
  const found = inside instanceof Element ? inside : inside.parentElement;
  if (found === null || !list.contains(found) || found === list) return null;
  const lines = found.querySelectorAll(".line");
  const line = found.closest(".line") ?? lines[side === "start" ? 0 : lines.length - 1];
  if (line === undefined) return null;
  const seq = Number(line.getAttribute("data-line"));
  return side === "end" && isBefore(range, line) ? seq - 1 : seq;
}

/**
 * Whether a range ends before a line says anything: three clicks on a line select up to the next one.
 * @param {Range} range
 * @param {Element} line
 */
function isBefore(range, line) {
  const part = document.createRange();
  part.setStart(line, 0);
  part.setEnd(range.endContainer, range.endOffset);
  return part.toString() === "";
}
