/** What a member's page keeps: the log, the members, the own messages. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Outbox, ROOM } from "../../service/tertulia/web/outbox.js";
import { Pace } from "../../service/tertulia/web/pace.js";
import { REMEMBERED, Repeats } from "../../service/tertulia/web/repeats.js";
import { Roster } from "../../service/tertulia/web/roster.js";
import { KEPT, Transcript } from "../../service/tertulia/web/transcript.js";

/** @import { Line, Said } from "../../service/tertulia/web/transcript.js" */

const NOON = new Date(2026, 10, 21, 12).getTime();

/** @type {(nickname: string, text: string, at?: number) => Said} */
const said = (nickname, text, at = NOON) => ({ kind: "said", nickname, text, own: false, at });

/**
 * The last lines of a log; a test knows of what kind they are.
 * @type {(transcript: Transcript, count: number) => any[]}
 */
const tail = (transcript, count) => transcript.tail(count);

/**
 * A line of a log, likewise.
 * @type {(transcript: Transcript, seq: number) => any}
 */
const line = (transcript, seq) => transcript.line(seq);

// --- The log -------------------------------------------------------------------------------------

test("the log keeps the latest lines and their numbers", () => {
  const transcript = new Transcript();
  for (let i = 0; i < KEPT + 500; i += 1) transcript.add(said("anna", String(i)));
  assert.equal(transcript.first, 500);
  assert.equal(transcript.end, KEPT + 500);
  assert.equal(line(transcript, 499), undefined);
  assert.equal(line(transcript, 500).text, "500");
  assert.equal(line(transcript, transcript.end), undefined);
  assert.equal(transcript.messages, KEPT + 500);
  assert.deepEqual(
    tail(transcript, 2).map(({ text }) => text),
    ["10498", "10499"],
  );
});

test("who comes and goes in a row is one line", () => {
  const transcript = new Transcript();
  for (let i = 0; i < 40; i += 1) transcript.came(`n${i}`, NOON + i);
  transcript.went("n0", NOON + 50);
  assert.equal(transcript.end, 1);
  const { joined, left } = line(transcript, 0);
  assert.deepEqual([joined.names, joined.count], [["n0", "n1", "n2"], 40]);
  assert.deepEqual([left.names, left.count], [["n0"], 1]);
  assert.deepEqual([...transcript.takeTouched()], [0]);
  assert.deepEqual([...transcript.takeTouched()], []);
});

test("who went and came back is told in this order", () => {
  const transcript = new Transcript();
  transcript.went("anna", NOON);
  transcript.came("anna", NOON + 1);
  assert.equal(line(transcript, 0).first, "left");
  transcript.came("bruno", NOON + 20_000);
  assert.equal(line(transcript, 1).first, "joined");
});

test("who comes long after is another line", () => {
  const transcript = new Transcript();
  transcript.came("anna", NOON);
  transcript.came("bruno", NOON + 9_999);
  transcript.came("carla", NOON + 10_000);
  assert.equal(transcript.end, 2);
});

test("a message parts who comes before from who comes after, except in a storm", () => {
  const transcript = new Transcript();
  transcript.came("anna", NOON);
  transcript.add(said("anna", "hi", NOON + 10));
  transcript.came("bruno", NOON + 20);
  assert.equal(transcript.end, 3);
  for (let i = 0; i < 100; i += 1) {
    transcript.came(`n${i}`, NOON + 30 + 10 * i);
    transcript.add(said("anna", `m${i}`, NOON + 31 + 10 * i));
  }
  const traffic = tail(transcript, 1000).filter(({ kind }) => kind === "traffic");
  const joined = traffic.reduce((sum, line) => sum + line.joined.count, 0);
  assert.equal(joined, 102);
  assert.ok(traffic.length <= 6, `${traffic.length} lines of who came`);
});

test("a message goes on what its author said just before, to the same reader", () => {
  const transcript = new Transcript();
  /** @type {(line: Line) => boolean | undefined} */
  const add = (line) => transcript.add(line).continues;
  assert.equal(add(said("anna", "1")), false);
  assert.equal(add(said("anna", "2")), true);
  assert.equal(add(said("bruno", "3")), false);
  assert.equal(add({ ...said("bruno", "4"), kind: "whispered", to: "anna" }), false);
  assert.equal(add({ ...said("bruno", "5"), kind: "whispered", to: "anna" }), true);
  assert.equal(add({ ...said("bruno", "6"), kind: "whispered", to: "carla" }), false);
  assert.equal(add(said("bruno", "7", NOON + 1)), false);
  assert.equal(add(said("bruno", "8", NOON + 200_000)), false);
});

test("another day is announced", () => {
  const transcript = new Transcript();
  transcript.add(said("anna", "late", new Date(2026, 10, 21, 23, 59).getTime()));
  transcript.add(said("anna", "early", new Date(2026, 10, 22, 0, 1).getTime()));
  assert.deepEqual(
    tail(transcript, 9).map(({ kind }) => kind),
    ["said", "day", "said"],
  );
});

test("a cleared log goes on with its numbers", () => {
  const transcript = new Transcript();
  transcript.came("anna", NOON);
  transcript.clear();
  assert.deepEqual(tail(transcript, 9), []);
  transcript.came("bruno", NOON);
  assert.equal(line(transcript, 1).joined.count, 1);
  assert.equal(transcript.generation, 1);
});

// --- The members ---------------------------------------------------------------------------------

test("members are compared without case and shown as entered", () => {
  const roster = new Roster();
  roster.reset(["Bruno", "anna"]);
  roster.add("BRUNO");
  assert.equal(roster.size, 2);
  assert.equal(roster.find("bruno"), "Bruno");
  assert.equal(roster.oldest, "Bruno");
  roster.remove("bRUNO");
  assert.equal(roster.oldest, "anna");
  roster.add("Carla");
  roster.add("bert");
  assert.deepEqual(roster.sorted(), ["anna", "bert", "Carla"]);
});

test("matches begin with what was typed, then contain it", () => {
  const roster = new Roster();
  roster.reset(["joanna", "Andy", "anna", "bruno"]);
  assert.deepEqual(roster.matching("AN", 10), { names: ["Andy", "anna", "joanna"], total: 3 });
  assert.deepEqual(roster.matching("", 2), { names: ["Andy", "anna"], total: 4 });
  assert.deepEqual(roster.matching("x", 2), { names: [], total: 0 });
});

test("ten thousand members are no burden", () => {
  const roster = new Roster();
  roster.reset(Array.from({ length: 10_000 }, (_, i) => `user-${i}`));
  const start = performance.now();
  for (let i = 0; i < 20; i += 1) {
    roster.add(`late-${i}`);
    assert.equal(roster.matching("user-99", 100).total, 111);
  }
  assert.ok((performance.now() - start) / 20 < 50, "milliseconds for a join and a search");
});

// --- Own messages --------------------------------------------------------------------------------

test("own copies are matched in order, and only to what was sent", () => {
  const outbox = new Outbox();
  outbox.add(null, "one", 1);
  assert.equal(outbox.heard("one"), false, "somebody else's");
  outbox.add(null, "one", 2);
  outbox.takeWaiting(3);
  assert.equal(outbox.heard("two"), false);
  assert.equal(outbox.heard("one"), true);
  assert.deepEqual(
    outbox.pending().map(({ id }) => id),
    [2],
  );
});

test("a private message is not taken for a public one of the same text", () => {
  const outbox = new Outbox();
  outbox.add("bruno", "one", 1);
  outbox.takeWaiting(1);
  assert.equal(outbox.heard("one"), false);
});

test("only so many messages may wait", () => {
  const outbox = new Outbox();
  for (let i = 0; i < ROOM; i += 1) outbox.add(null, "x", 1);
  assert.equal(outbox.hasRoom, false);
  assert.equal(outbox.takeWaiting(2).length, ROOM);
  assert.equal(outbox.answered(1, true)?.id, 1);
  assert.equal(outbox.hasRoom, true);
});

test("answers come in order: a later one settles whose time is counted", () => {
  const outbox = new Outbox();
  outbox.add(null, "one", 1);
  outbox.takeWaiting(100);
  outbox.sentOther(200);
  outbox.add(null, "two", 1);
  outbox.takeWaiting(300);
  assert.equal(outbox.oldestSentAt, 100);
  outbox.answered(1, true);
  assert.equal(outbox.oldestSentAt, 200);
  outbox.answered(2, true);
  assert.equal(outbox.oldestSentAt, null);
  assert.equal(outbox.answered(2, true), undefined);
});

// --- The rest ------------------------------------------------------------------------------------

test("repeats are told from the same thing said twice", () => {
  const repeats = new Repeats();
  assert.deepEqual(
    ["a", "a", "b"].map((key) => repeats.isRepeat(key)),
    [false, false, false],
  );
  repeats.interrupted();
  assert.deepEqual(
    ["a", "a", "a", "c"].map((key) => repeats.isRepeat(key)),
    [true, true, false, false],
  );
  for (let i = 0; i < 3 * REMEMBERED; i += 1) repeats.isRepeat(`x${i}`);
  repeats.interrupted();
  assert.equal(repeats.isRepeat("x0"), false);
  assert.equal(repeats.isRepeat(`x${3 * REMEMBERED - 1}`), true);
});

test("lines are read aloud until there are too many, then told of now and then", () => {
  const pace = new Pace();
  pace.came(6, 10_000);
  assert.equal(pace.isFlood, false);
  pace.came(1, 11_000);
  assert.equal(pace.isFlood, true);
  pace.skipped(1);
  assert.equal(pace.summary(11_000), 1);
  pace.skipped(40);
  assert.equal(pace.summary(12_000), 0);
  assert.equal(pace.summary(16_000), 40);
  pace.came(0, 16_000);
  assert.equal(pace.isFlood, false);
  assert.equal(pace.summary(30_000), 0);
});
