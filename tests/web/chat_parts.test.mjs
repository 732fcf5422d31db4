/** What a member's page keeps: the log, the members, the own messages. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Chat } from "../../service/tertulia/web/chat/chat.js";
import { Likeness } from "../../service/tertulia/web/chat/likeness.js";
import { Outbox, ROOM } from "../../service/tertulia/web/chat/outbox.js";
import { REMEMBERED, Repeats } from "../../service/tertulia/web/chat/repeats.js";
import { Roster } from "../../service/tertulia/web/chat/roster.js";
import { KEPT, Transcript } from "../../service/tertulia/web/chat/transcript.js";
import { Pace } from "../../service/tertulia/web/log/pace.js";
import { quickest } from "./quickest.mjs";

/** @import { Line, Said } from "../../service/tertulia/web/chat/transcript.js" */

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
  transcript.went("emil", NOON + 50);
  assert.equal(transcript.end, 1);
  const { joined, left } = line(transcript, 0);
  assert.deepEqual([joined.names, joined.count], [["n0", "n1", "n2"], 40]);
  assert.deepEqual([left.names, left.count], [["emil"], 1]);
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

test("who comes and goes again, or goes and comes back, is told once", () => {
  const transcript = new Transcript();
  for (const nickname of ["dora", "anna", "bruno", "carla"]) transcript.came(nickname, NOON);
  transcript.came("DORA", NOON + 1);
  transcript.went("anna", NOON + 2);
  transcript.went("emil", NOON + 3);
  transcript.came("emil", NOON + 4);
  transcript.went("franz", NOON + 5);
  const [line] = tail(transcript, 1);
  assert.deepEqual(line.joined, { names: ["dora", "bruno", "carla"], count: 3 });
  assert.deepEqual(line.left, { names: ["franz"], count: 1 });
  assert.deepEqual(line.passed, { names: ["anna"], count: 1 });
  assert.deepEqual(line.returned, { names: ["emil"], count: 1 });
  transcript.came("anna", NOON + 6);
  assert.equal(line.joined.count, 4);
  assert.equal(line.passed?.count, 0);
});

test("beyond so many who come and go they are counted as they pass", () => {
  const transcript = new Transcript();
  for (let i = 0; i < 250; i += 1) transcript.came(`n${i}`, NOON);
  transcript.went("n240", NOON + 1);
  transcript.went("n1", NOON + 1);
  const [line] = tail(transcript, 1);
  assert.deepEqual([line.joined.count, line.left.count, line.passed?.count], [249, 1, 1]);
  assert.deepEqual(line.joined.names, ["n0", "n2", "n3"]);
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
  /** @type {(size: number) => number} */
  const taken = (size) => {
    const roster = new Roster();
    roster.reset(Array.from({ length: size }, (_, i) => `user-${i}`));
    assert.equal(roster.matching("user-99", 100).total, size === 10_000 ? 111 : 11);
    let late = 0;
    return quickest(() => {
      roster.add(`late-${late++}`);
      roster.matching("user-99", 100);
    });
  };
  // For a join and a search: ten times as many take a little more than ten times as long.
  const growth = taken(10_000) / taken(1000);
  assert.ok(growth < 50, `${growth}`);
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

test("own copies that tell their number are matched by it, whatever they say", () => {
  const outbox = new Outbox();
  outbox.add(null, "one", 1);
  outbox.add("bruno", "two", 1);
  outbox.add(null, "one", 1);
  outbox.takeWaiting(1);
  assert.equal(outbox.heard("as the service wrote it", 3), true);
  assert.equal(outbox.heard("two", 2), false, "a private one");
  assert.equal(outbox.heard("one", 9), false, "of another page");
  assert.deepEqual(
    outbox.pending().map(({ id }) => id),
    [1, 2],
  );
});

test("a private message is not taken for a public one of the same text", () => {
  const outbox = new Outbox();
  outbox.add("bruno", "one", 1);
  outbox.takeWaiting(1);
  assert.equal(outbox.heard("one"), false);
});

test("only so many messages may wait", () => {
  const chat = new Chat();
  const { outbox } = chat.lobby;
  for (let i = 1; i < ROOM; i += 1) outbox.add(null, "x", 1);
  assert.equal(chat.hasSpace, true);
  assert.equal(chat.join("ops").outbox.add(null, "x", 1).id, ROOM);
  assert.equal(chat.hasSpace, false);
  assert.equal(outbox.takeWaiting(2).length, ROOM - 1);
  assert.equal(outbox.answered(1, true)?.id, 1);
  assert.equal(chat.hasSpace, true);
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

test("names that look the same are told apart, and no others", () => {
  const likeness = new Likeness();
  for (const it of ["paul", "modern", "Bob0", "anna", "vvim"]) likeness.see(it);
  assert.equal(likeness.other("pauI"), "paul");
  assert.equal(likeness.other("Pau1"), "paul");
  assert.equal(likeness.other("modem"), "modern");
  assert.equal(likeness.other("bobo"), "Bob0");
  assert.equal(likeness.other("wim"), "vvim");
  for (const it of ["paul", "PAUL", "paui", "anna", "ann"])
    assert.equal(likeness.other(it), null, it);
  likeness.see("pauI");
  assert.equal(likeness.other("paul"), "pauI");
  assert.equal(likeness.other("pauI"), "paul");
});
