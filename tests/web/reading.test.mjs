/** What is unread, where its reader stopped, and what is put before the first line. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { GLANCE, Reading } from "../../service/tertulia/web/chat/reading.js";
import { KEPT, PRECEDING, Transcript } from "../../service/tertulia/web/chat/transcript.js";

/** @import { Line, Said } from "../../service/tertulia/web/chat/transcript.js" */

const NOON = new Date(2026, 10, 21, 12).getTime();
const DAY = 86_400_000;

/** @type {(text: string, more?: Partial<Said>) => Said} */
const said = (text, more = {}) => ({
  kind: "said",
  nickname: "bruno",
  text,
  own: false,
  at: NOON,
  ...more,
});

/**
 * The texts of all lines, and `--` for a day.
 * @type {(transcript: Transcript) => string[]}
 */
const all = (transcript) =>
  transcript.tail(Infinity).map((line) => ("text" in line ? line.text : "--"));

test("what was seen as it came is not unread", () => {
  const transcript = new Transcript();
  const reading = new Reading();
  transcript.add(said("1"));
  reading.look(transcript, true);
  assert.deepEqual([reading.unread, reading.mark], [0, null]);
});

test("who looked away finds a mark above what came then, until something else comes unseen", () => {
  const transcript = new Transcript();
  const reading = new Reading();
  transcript.add(said("1"));
  reading.look(transcript, true);
  transcript.add(said("2"));
  transcript.add(said("3"));
  reading.look(transcript, false);
  assert.deepEqual([reading.unread, reading.mark], [2, 1]);
  reading.look(transcript, true);
  transcript.add(said("4"));
  reading.look(transcript, true);
  reading.look(transcript, false);
  assert.deepEqual([reading.unread, reading.mark], [0, 1]);
  transcript.add(said("5"));
  reading.look(transcript, false);
  assert.deepEqual([reading.unread, reading.mark], [1, 4]);
});

test("the mark goes when its reader answers what was read", () => {
  const transcript = new Transcript();
  const reading = new Reading();
  transcript.add(said("1"));
  reading.look(transcript, false);
  reading.answered();
  assert.equal(reading.mark, 0, "an answer from further up, to what was read before");
  reading.look(transcript, true);
  reading.answered();
  assert.equal(reading.mark, null);
});

test("the mark goes when it has been in sight for a while", () => {
  const transcript = new Transcript();
  const reading = new Reading();
  assert.equal(reading.glance(false, 0), null);
  transcript.add(said("1"));
  reading.look(transcript, false);
  reading.look(transcript, true);
  assert.equal(reading.glance(true, 1_000), GLANCE);
  assert.equal(reading.glance(false, 2_000), null, "scrolled away");
  assert.equal(reading.glance(true, 3_000), GLANCE);
  transcript.add(said("2"));
  reading.look(transcript, false);
  assert.equal(reading.glance(true, 4_000), GLANCE, "another mark");
  assert.equal(reading.glance(true, 3_999 + GLANCE), 1);
  assert.equal(reading.mark, 1);
  assert.equal(reading.glance(true, 4_000 + GLANCE), null);
  assert.equal(reading.mark, null);
});

test("what another page had shown is not unread, and what it had not is", () => {
  for (const [seen, mark] of /** @type {const} */ ([
    [3, null],
    [2, 2],
  ])) {
    const transcript = new Transcript();
    const reading = new Reading();
    for (const text of "abc") transcript.add(said(text));
    reading.goOn(transcript, seen);
    reading.look(transcript, false);
    assert.deepEqual([reading.unread, reading.mark], [3 - seen, mark]);
  }
});

test("one's own messages, notices and the past are not unread", () => {
  const transcript = new Transcript();
  const reading = new Reading();
  transcript.add(said("mine", { own: true }));
  transcript.add(said("long ago", { isPast: true }));
  transcript.came("dora", NOON);
  transcript.add({ kind: "notice", at: NOON, key: "notice.slowed", values: {}, grave: true });
  assert.deepEqual(reading.look(transcript, false), []);
  assert.deepEqual([reading.unread, reading.mark], [0, null]);
});

test("what is meant for the reader is told once, and counted while unread", () => {
  const transcript = new Transcript();
  const reading = new Reading();
  transcript.add(said("to all"));
  const named = transcript.add(said("anna!", { isNamed: true }));
  assert.deepEqual(reading.look(transcript, false), [named]);
  const { own, nickname, text, at } = said("psst");
  const whispered = transcript.add({ kind: "whispered", own, nickname, text, at, to: "anna" });
  assert.deepEqual(reading.look(transcript, false), [whispered]);
  assert.deepEqual([reading.unread, reading.calls, reading.call], [3, 2, whispered]);
  assert.deepEqual(reading.look(transcript, true), []);
  assert.deepEqual([reading.unread, reading.calls, reading.call], [0, 0, null]);
});

test("a log that is cleared has nothing unread", () => {
  const transcript = new Transcript();
  const reading = new Reading();
  transcript.add(said("1"));
  reading.look(transcript, false);
  transcript.clear();
  transcript.add(said("2"));
  reading.look(transcript, true);
  assert.deepEqual([reading.unread, reading.mark], [0, null]);
});

test("older lines are put before the first one, each day under its name", () => {
  const transcript = new Transcript();
  transcript.add(said("today"));
  transcript.precede([said("1", { at: NOON - DAY }), said("2", { at: NOON - DAY })]);
  assert.deepEqual(all(transcript), ["--", "1", "2", "--", "today"]);
  assert.equal(transcript.first, -4);
  assert.equal(transcript.line(-2)?.continues, true);
  transcript.takeTouched();
  transcript.precede([said("0", { at: NOON - DAY, nickname: "Carla" })]);
  assert.deepEqual(all(transcript), ["--", "0", "1", "2", "--", "today"]);
  assert.deepEqual([...transcript.takeTouched()], [-4], "what was the day's name is a message now");
  transcript.precede([said("a", { at: NOON - 3 * DAY })]);
  assert.deepEqual(all(transcript), ["--", "a", "--", "0", "1", "2", "--", "today"]);
  transcript.precede([]);
  assert.equal(transcript.tail(Infinity).length, 8);
});

test("older lines of today stand under today's name, before what is there", () => {
  const transcript = new Transcript();
  transcript.add(said("now"));
  transcript.precede([said("before")]);
  assert.deepEqual(all(transcript), ["--", "before", "now"]);
});

test("what was put before stays as long as there is room, and no more is put there then", () => {
  const transcript = new Transcript();
  transcript.add(said("live"));
  assert.equal(transcript.roomBefore, KEPT + PRECEDING - 1);
  transcript.precede(Array.from({ length: KEPT }, (_, i) => said(`old ${i}`)));
  assert.equal(transcript.tail(Infinity).length, KEPT + 2);
  for (let i = 0; i < 10; i += 1) transcript.add(said(`new ${i}`));
  assert.equal(transcript.tail(Infinity).length, KEPT + 2, "the oldest give way");
  assert.equal(transcript.line(transcript.first - 1), undefined);
});
