/** A session, told what happens and at what time. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { NEXT } from "../../service/tertulia/web/session/session.js";
import { events, joined, left, Play, said, welcome } from "./play.mjs";

/** @import { State } from "../../service/tertulia/web/session/session.js" */

// --- Entering ------------------------------------------------------------------------------------

test("entering opens a connection, gives the name, and is welcomed", () => {
  const play = new Play();
  play.do((it, now) => it.enter("anna", "secret", now));
  assert.deepEqual(play.done(), ["open"]);
  play.do((it, now) => it.opened(now));
  assert.deepEqual(play.done(), [{ type: "enter", nickname: "anna", password: "secret" }]);
  assert.equal(play.session.isMember, false);
  play.hears(welcome());
  assert.equal(play.session.state, "inside");
  assert.equal(play.session.isMember, true);
  assert.deepEqual(play.session.chat.lobby.roster.sorted(), ["anna", "bruno"]);
  assert.deepEqual(play.texts("notice"), ["notice.entered"]);
});

test("who enters first is told to be the administrator", () => {
  const play = new Play();
  play.enters("anna", { members: ["anna"] });
  assert.equal(play.session.chat.isAdministrator, true);
  assert.deepEqual(play.texts("notice"), ["notice.first"]);
});

test("a refused name is explained, and another one is asked for on the same connection", () => {
  const play = new Play();
  play.do((it, now) => it.enter("bruno", "", now));
  play.do((it, now) => it.opened(now));
  play.hears({ type: "refused", reason: "nickname_taken" });
  assert.deepEqual(play.session.explanation?.key, "refused.nickname_taken");
  assert.equal(play.session.explanation?.values.name, "bruno");
  play.done();
  play.do((it, now) => it.enter("anna", "", now));
  assert.deepEqual(play.done(), [{ type: "enter", nickname: "anna" }]);
  play.hears(welcome());
  assert.equal(play.session.state, "inside");
});

test("a connection that ends after a refusal is opened again with the next name", () => {
  const play = new Play();
  play.do((it, now) => it.enter("bruno", "", now));
  play.do((it, now) => it.opened(now));
  play.hears({ type: "refused", reason: "nickname_taken" });
  play.do((it, now) => it.closed(4000, "enter_timeout", now));
  assert.equal(play.session.state, "outside");
  assert.equal(play.session.explanation?.key, "refused.nickname_taken");
  play.done();
  play.do((it, now) => it.enter("anna", "", now));
  assert.deepEqual(play.done(), ["open"]);
});

test("an error at the door is told like a refusal", () => {
  const play = new Play();
  play.do((it, now) => it.enter("anna", "", now));
  play.do((it, now) => it.opened(now));
  play.hears({ type: "error", reason: "what?" });
  assert.equal(play.session.state, "refused");
  assert.deepEqual(play.session.explanation, {
    key: "refused.error",
    values: { name: "anna", reason: "what?" },
  });
});

test("who can't reach the service tries on until it is given up", () => {
  const play = new Play();
  play.do((it, now) => it.enter("anna", "", now));
  play.do((it, now) => it.closed(1006, "", now));
  assert.equal(play.session.state, "waiting");
  assert.equal(play.session.isMember, false);
  play.passes(500);
  assert.equal(play.session.state, "opening");
  play.do((it, now) => it.leave(now));
  assert.equal(play.session.state, "outside");
  assert.equal(play.session.explanation, null);
  assert.equal(play.session.deadline, null);
});

test("a connection that never opened makes it ask why, and whose page is refused for its origin says so", () => {
  const play = new Play();
  play.do((it, now) => it.enter("anna", "", now));
  play.do((it, now) => it.closed(1006, "", now));
  assert.deepEqual(play.done(), ["open", "ask"]);
  assert.equal(play.session.status, "waiting");
  play.do((it) => it.judged(true));
  assert.equal(play.session.status, "foreign");
  play.passes(500);
  assert.deepEqual([play.session.state, play.session.status], ["opening", "foreign"]);
  play.do((it, now) => it.closed(1006, "", now));
  assert.deepEqual(play.done(), ["open", "ask"]);
  play.do((it) => it.judged(false));
  assert.equal(play.session.status, "waiting");
  play.do((it) => it.judged(true));
  play.passes(1000);
  play.do((it, now) => it.opened(now));
  play.hears(welcome());
  assert.equal(play.session.status, "inside");
  play.do((it) => it.judged(true)); // it is late
  play.done();
  play.do((it, now) => it.closed(1006, "", now));
  assert.deepEqual(play.done(), []);
  assert.equal(play.session.status, "waiting");
});

// --- Talking -------------------------------------------------------------------------------------

test("an own public message is pending, then in its place in the log, once", () => {
  const play = new Play();
  play.enters();
  play.writes("one");
  assert.deepEqual(play.done(), [{ type: "say", id: 1, text: "one" }]);
  assert.equal(play.session.chat.lobby.outbox.pending().length, 1);
  play.hears(events(11, said("bruno", "hi"), said("anna", "one")));
  assert.equal(play.session.chat.lobby.outbox.pending().length, 0);
  play.hears({ type: "sent", id: 1 });
  assert.deepEqual(play.texts("said"), ["hi", "one"]);
  assert.equal(play.session.chat.lobby.outbox.size, 0);
});

test("private messages are in the log when they are sent, or kept", () => {
  const play = new Play();
  play.enters();
  play.writes("one", "bruno");
  play.writes("two", "carla");
  play.hears({ type: "sent", id: 1 }, { type: "kept", id: 2 });
  const lines = play.lines.filter(({ kind }) => kind === "whispered");
  assert.deepEqual(
    lines.map(({ to, text, state }) => [to, text, state]),
    [
      ["bruno", "one", "sent"],
      ["carla", "two", "kept"],
    ],
  );
});

test("a failed message is in the log with the reason", () => {
  const play = new Play();
  play.enters();
  play.writes("one", "nobody");
  play.hears({ type: "failed", id: 1, reason: "unknown_recipient" });
  const { kind, to, reason } = play.lines.at(-1);
  assert.deepEqual([kind, to, reason], ["failed", "nobody", "unknown_recipient"]);
});

test("an error is about the message whose number it has, or about something else", () => {
  const play = new Play();
  play.enters();
  play.writes("one");
  play.writes("two");
  play.hears({ type: "error", reason: "of a topic that is too long" });
  assert.deepEqual(play.texts("failed"), []);
  play.hears(events(11, said("anna", "one")), { type: "sent", id: 1 });
  play.hears({ type: "error", reason: "no", id: 2 });
  assert.deepEqual(play.texts("failed"), ["two"]);
  play.hears({ type: "error", reason: "of nothing" });
  assert.equal(play.lines.at(-1).key, "notice.error");
});

test("a note to oneself is in the log once", () => {
  const play = new Play();
  play.enters();
  play.writes("milk", "anna");
  play.hears({ type: "whispered", from: "anna", text: "milk", at: 5 }, { type: "sent", id: 1 });
  assert.deepEqual(play.texts("whispered"), ["milk"]);
});

test("what could not be delivered is marked, and told", () => {
  const play = new Play();
  play.enters();
  play.writes("one", "Bruno");
  play.hears({ type: "sent", id: 1 }, { type: "undelivered", to: "bruno", text: "one" });
  assert.equal(play.lines.find(({ kind }) => kind === "whispered").state, "undelivered");
  assert.equal(play.lines.at(-1).key, "notice.undelivered");
});

test("of two equal private messages that one is marked of which the report tells the number", () => {
  const play = new Play();
  play.enters();
  play.writes("one", "bruno");
  play.writes("one", "bruno");
  play.hears({ type: "sent", id: 1 }, { type: "sent", id: 2 });
  play.hears({ type: "undelivered", to: "bruno", text: "one", id: 1 });
  const fates = play.lines.filter(({ kind }) => kind === "whispered").map(({ state }) => state);
  assert.deepEqual(fates, ["undelivered", "sent"]);
});

test("a private message that comes again is known by its number", () => {
  const play = new Play();
  play.enters();
  const letter = { type: "whispered", from: "bruno", text: "one", at: 5, session: "b:1", id: 1 };
  play.hears(letter, { ...letter, id: 2 });
  play.reopens();
  play.hears(welcome({ resumed: true }), { ...letter, at: 6 }, { ...letter, id: 3 });
  assert.deepEqual(play.texts("whispered"), ["one", "one", "one"]);
});

test("a message is one's own by its session or its account, not by an equal nickname", () => {
  const play = new Play();
  play.enters("anna", { session: "a:1" });
  const said = { type: "said", nickname: "anna", text: "x" };
  play.hears(events(11, { ...said, session: "z:1" }), events(12, { ...said, session: "a:1" }));
  play.reopens();
  play.hears(welcome({ resumed: true, session: "a:2", account: true }));
  play.hears(events(13, { ...said, session: "a:1", id: 7 }, { ...said, session: "a:2" }));
  play.hears(events(14, { ...said, session: "z:1" }, { ...said, session: "z:1", account: true }));
  const owns = play.lines.filter(({ kind }) => kind === "said").map(({ own }) => own);
  assert.deepEqual(owns, [false, true, true, true, false, true]);
});

/**
 * @param {number} offset
 * @param {string[]} texts
 */
function past(offset, texts, values = {}) {
  const messages = texts.map((text, i) => {
    return { offset: offset + i, index: 0, at: 1, nickname: "bruno", session: "b:1", text };
  });
  return { type: "past", epoch: "e", before: offset, index: 0, messages, more: true, ...values };
}

test("what was said before comes before one's entering, and further back when it is asked for", () => {
  const play = new Play();
  play.enters("anna", { history: 50 });
  assert.equal(play.lines.length, 0, "first what was said before");
  play.do((it) => it.lookBack());
  assert.deepEqual(play.done(), [], "it comes by itself");
  play.hears(past(8, ["c", "d"]));
  assert.deepEqual(
    play.lines.map(({ kind }) => kind),
    ["said", "said", "notice"],
  );
  play.do((it) => it.lookBack());
  play.do((it) => it.lookBack());
  assert.deepEqual(play.done(), [{ type: "history", before: 8, index: 0 }], "once");
  play.hears(past(5, ["a", "b"], { more: false }));
  assert.deepEqual(play.texts("said"), ["a", "b", "c", "d"]);
  play.do((it) => it.lookBack());
  assert.deepEqual(play.done(), [], "the log begins there");
  assert.equal(play.lines.find(({ kind }) => kind === "notice").key, "log.begins");
});

test("what was among the past is not said again", () => {
  const play = new Play();
  play.enters("anna", { history: 50, offset: 10 });
  play.hears(past(11, ["a"]));
  const said = { type: "said", nickname: "bruno" };
  play.hears(events(11, { ...said, text: "a" }, { ...said, text: "b" }));
  assert.deepEqual(play.texts("said"), ["a", "b"]);
});

test("who comes in anew after a loss reads what is new of the past behind what was there", () => {
  const play = new Play();
  play.enters("anna", { history: 50 });
  play.hears(past(8, ["a"]), events(11, { type: "said", nickname: "bruno", text: "b" }));
  play.reopens();
  play.hears(welcome({ history: 50, resumed: false, missed: "some", offset: 20 }));
  const known = past(8, ["a"]).messages;
  const unknown = past(15, ["c"]).messages;
  play.hears(past(8, [], { messages: [...known, ...unknown] }));
  assert.deepEqual(play.texts("said"), ["a", "b", "c"]);
});

/** @type {(play: Play) => void} */
const leaves = (play) => {
  play.do((it, now) => it.leave(now));
  play.do((it, now) => it.closed(1000, "left", now));
};

for (const name of ["anna", "dora"]) {
  test(`who leaves and comes back as ${name} reads what a newcomer does`, () => {
    const play = new Play();
    play.enters("anna", { history: 50 });
    play.hears(past(7, ["a", "b"]), events(11, said("bruno", "c")));
    leaves(play);
    play.enters(name, { history: 50, offset: 11 });
    play.hears(past(8, ["b", "x", "y", "c"]));
    assert.deepEqual(play.texts("said"), ["b", "x", "y", "c"]);
    play.do((it) => it.lookBack());
    assert.deepEqual(play.done(), [{ type: "history", before: 8, index: 0 }]);
  });
}

test("who takes another name reads what a newcomer does", () => {
  const play = new Play();
  play.enters("anna", { history: 50 });
  play.hears(past(8, ["a", "b"]));
  play.do((it, now) => it.rename("dora", now));
  play.do((it, now) => it.closed(1000, "left", now));
  play.do((it, now) => it.opened(now));
  play.hears(welcome({ nickname: "dora", history: 50 }), past(8, ["a", "b"]));
  assert.deepEqual(play.texts("said"), ["a", "b"]);
});

test("what a newcomer reads from before the oldest line that is here is read on looking back", () => {
  const play = new Play();
  play.enters("anna", { history: 50 });
  play.hears(past(8, ["c"]));
  play.do((it, now) => it.closed(1000, "kicked", now));
  play.enters("anna", { history: 50, offset: 12 });
  play.hears(past(6, ["a", "b", "c", "d"], { more: false }));
  play.do((it) => it.lookBack());
  assert.deepEqual(play.done(), [{ type: "history", before: 8, index: 0 }]);
  play.hears(past(6, ["a", "b"], { more: false }));
  assert.deepEqual(play.texts("said"), ["a", "b", "c", "d"]);
});

test("who was sent away and comes back is told where a part is missing", () => {
  const play = new Play();
  play.enters("anna", { history: 50 });
  play.hears(past(8, ["a", "b"]));
  play.do((it, now) => it.closed(1000, "kicked", now));
  play.enters("anna", { history: 50, offset: 90 });
  play.hears(past(70, ["y", "z"]));
  assert.deepEqual(play.texts("said", "notice"), [
    ...["a", "b", "notice.entered"],
    ...["notice.missed", "y", "z", "notice.entered"],
  ]);
  play.do((it, now) => it.closed(1000, "kicked", now));
  play.enters("anna", { history: 50, offset: 90 });
  play.hears(past(70, ["y", "z"]));
  assert.equal(play.texts("notice").filter((key) => key === "notice.missed").length, 1);
});

test("the log begins once, however often the page is loaded", () => {
  let play = new Play();
  play.enters("anna", { history: 50 });
  play.hears(past(8, ["c", "d"]));
  play.do((it) => it.lookBack());
  play.hears(past(6, ["a", "b"], { more: false }));
  for (let times = 0; times < 2; times += 1) {
    const saved = play.session.snapshot();
    assert.ok(saved !== null);
    const { lines } = play;
    play = new Play();
    for (const line of lines) play.session.chat.lobby.transcript.restore(line);
    play.do((it, now) => it.goOn(saved, now));
    play.do((it, now) => it.opened(now));
    play.hears(welcome({ history: 50, resumed: true }));
    play.done();
    play.do((it) => it.lookBack());
    assert.deepEqual(play.done(), [], "it is known where the log begins");
  }
  assert.equal(play.texts("notice").filter((key) => key === "log.begins").length, 1);
});

test("a search goes on until something is found, and ends with the connection", () => {
  const play = new Play();
  play.enters("anna", { history: 50 });
  play.hears(past(8, ["a"]));
  play.do((it) => it.search("b"));
  play.do((it) => it.lookBack());
  assert.deepEqual(play.done(), [{ type: "search", text: "b" }], "one thing at a time");
  play.hears({ ...past(5, []), type: "found", text: "b" });
  assert.deepEqual(play.done(), [{ type: "history", before: 8, index: 0 }]);
  play.hears(past(7, ["x"]));
  assert.deepEqual(play.done(), [{ type: "search", text: "b", before: 5, index: 0 }]);
  play.hears({ ...past(2, ["b"], { more: false }), type: "found", text: "b" });
  const told = play.session.chat.lobby.past;
  assert.equal(told.search?.messages.length, 1);
  assert.ok(told.search?.isOver);
  const found = told.search?.messages[0];
  play.hears(events(20, { type: "redacted", offset: found?.offset, index: 0, by: "anna" }));
  assert.equal(told.search?.messages.length, 0, "what was withdrawn is not found any more");
  play.do((it) => it.search("c"));
  play.reopens();
  assert.equal(told.isSearching, false);
});

test("only what makes sense is sent, and within the bound", () => {
  const play = new Play();
  assert.equal(play.writes("one"), "outside");
  play.enters();
  assert.equal(play.writes(" \n "), "empty");
  assert.equal(play.writes("à".repeat(2049)), "too_long");
  assert.equal(play.writes("à".repeat(2048)), null);
  play.done();
  play.writes("two\nlines\u0007 and a half \ud800");
  assert.deepEqual(play.done(), [{ type: "say", id: 2, text: "two\nlines and a half \ufffd" }]);
});

test("private messages are confirmed together", () => {
  const play = new Play();
  play.enters();
  for (const text of ["one", "two", "three"]) {
    play.hears({ type: "whispered", from: "bruno", text, at: 5 });
  }
  assert.deepEqual(play.done(), []);
  play.passes(100);
  assert.deepEqual(play.done(), [{ type: "received", count: 3 }]);
  play.passes(1000);
  assert.deepEqual(play.done(), []);
});

test("who comes and goes is in the members", () => {
  const play = new Play();
  play.enters();
  play.hears(events(11, joined("Carla"), left("bruno"), { type: "administrator" }));
  assert.deepEqual(play.session.chat.lobby.roster.sorted(), ["anna", "Carla"]);
  assert.equal(play.session.chat.isAdministrator, true);
  play.hears({ type: "forbidden" });
  assert.equal(play.lines.at(-1).key, "notice.forbidden");
});

test("who writes too fast is told so, and nothing else changes", () => {
  const play = new Play();
  play.enters();
  const before = play.lines.length;
  play.hears({ type: "slowed" });
  assert.equal(play.lines.at(-1).key, "notice.slowed");
  assert.equal(play.lines.length, before + 1);
  assert.equal(play.session.state, "inside");
});

test("what is not known is ignored", () => {
  const play = new Play();
  play.enters();
  const before = play.lines.length;
  play.hears({ type: "new" }, { type: "toString" }, [1], null);
  play.hears(events(11, { type: "new" }, { type: "newer", nickname: 7 }));
  play.do((it, now) => it.received("{", now));
  assert.equal(play.lines.length, before);
});

test("what a moderator withdraws is gone, and who is muted reads why", () => {
  const play = new Play();
  play.enters();
  play.hears(events(11, { type: "said", nickname: "bruno", text: "unkind", session: "b:1" }));
  play.hears(events(12, { type: "redacted", offset: 11, index: 0, by: "anna" }));
  const line = play.lines.find((it) => it.kind === "said");
  assert.deepEqual([line?.isRedacted, line?.text], [true, ""]);
  play.do((it, now) => it.write(null, "hm", now));
  play.hears({ type: "failed", id: 1, reason: "muted", until: 5_000, words: "loud" });
  const failed = play.lines.at(-1);
  assert.deepEqual(
    [failed?.reason, failed?.until, failed?.detail],
    ["muted_until", 5_000, ": loud"],
  );
  play.hears({ type: "failed", action: "kick", reason: "unknown_recipient" });
  assert.equal(play.lines.at(-1)?.key, "notice.not_moderated");
  play.hears({ type: "forbidden", action: "mute" });
  assert.equal(play.lines.at(-1)?.key, "notice.not_moderated");
});

test("who is muted and who moderates is known from the welcome on", () => {
  const play = new Play();
  play.enters("anna", { moderator: true, moderators: ["anna"], mutes: { Bruno: 5_000, carla: 0 } });
  const { rules } = play.session.chat.lobby;
  assert.ok(rules.isMutesKnown && rules.moderates("Anna") && !rules.moderates("bruno"));
  assert.ok(rules.isMuted("bruno", 4_999) && rules.isMuted("Carla", 9e12));
  const { version } = rules;
  rules.lapse(4_999);
  assert.equal(rules.version, version);
  rules.lapse(5_000);
  assert.ok(rules.version > version && !rules.isMuted("bruno", 0));
  play.hears(events(11, { type: "unmuted", nickname: "CARLA", by: "anna" }));
  play.hears(events(12, { type: "muted", nickname: "dora", by: "G", until: 0, reason: "" }));
  play.hears(events(13, { type: "moderator", nickname: "dora", on: true, by: "G" }));
  assert.ok(!rules.isMuted("carla", 0) && rules.isMuted("dora", 0) && rules.moderates("dora"));
});

test("who becomes a moderator learns who is muted", () => {
  const play = new Play();
  play.enters();
  const { rules } = play.session.chat.lobby;
  const appointed = { type: "moderator", nickname: "anna", by: "G" };
  play.hears(events(11, { ...appointed, on: true }, { type: "mutes", mutes: { Bruno: 0 } }));
  assert.ok(rules.isModerator && rules.isMutesKnown && rules.isMuted("bruno", 0));
  play.hears(events(12, { ...appointed, on: false }));
  assert.ok(!rules.isModerator && !rules.isMutesKnown);
});

test("what keeps one from speaking is known from the welcome on, and as long as it does", () => {
  const play = new Play();
  const muted = { muted: true, muted_until: 5_000, muted_why: "loud" };
  play.enters("anna", { slow: 30, accounts_only: true, ...muted });
  const { rules } = play.session.chat.lobby;
  /** @param {number} now */
  const told = (now, isAccount = false) => {
    const { mute, slow, accounts } = rules.restraints(isAccount, now);
    return [mute, slow, accounts].map((it) => it && [it.key, { ...it.values }]);
  };
  const mute = ["rule.muted_until", { until: 5_000, because: ": loud" }];
  const slow = ["rule.slow", { count: 30 }];
  assert.deepEqual(told(4_999), [mute, slow, ["rule.accounts_only", {}]]);
  assert.deepEqual(told(4_999, true), [mute, slow, null]);
  assert.deepEqual(told(5_000, true), [null, slow, null]);
  const event = { type: "muted", by: "bruno", reason: "", until: 0 };
  play.hears(events(11, { ...event, nickname: "carla" }));
  assert.equal(told(0)[0], null);
  play.hears(events(12, { ...event, nickname: "Anna" }));
  assert.deepEqual(told(9e12)[0], ["rule.muted", { until: 0, because: "" }]);
  play.hears(events(13, { type: "unmuted", nickname: "anna", by: "G" }));
  play.hears(events(14, { type: "accounts_only", on: false, by: "G" }));
  assert.deepEqual(told(0), [null, slow, null]);
  play.hears(events(15, { type: "moderator", nickname: "anna", on: true, by: "G" }));
  assert.deepEqual(told(0), [null, null, null]);
});

// --- Losing the connection -----------------------------------------------------------------------

test("a lost connection is opened again with longer and longer pauses, shortened by chance", () => {
  const play = new Play(() => 0);
  play.enters();
  play.do((it, now) => it.closed(1006, "", now));
  const pauses = [];
  for (let attempt = 0; attempt < 7; attempt += 1) {
    const { pause } = play;
    pauses.push(pause);
    play.passes(pause);
    assert.equal(play.session.state, "opening");
    play.do((it, now) => it.closed(1006, "", now));
  }
  assert.deepEqual(pauses, [500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
  const lucky = new Play(() => 0.5);
  lucky.enters();
  lucky.do((it, now) => it.closed(1006, "", now));
  assert.equal(lucky.pause, 375);
});

test("the pause is short again only after a while inside", () => {
  const play = new Play();
  play.enters();
  play.do((it, now) => it.closed(4000, "slow_reader", now));
  play.passes(500);
  play.do((it, now) => it.opened(now));
  play.hears(welcome());
  play.do((it, now) => it.closed(4000, "slow_reader", now));
  assert.equal(play.pause, 1000);
  play.passes(1000);
  play.do((it, now) => it.opened(now));
  play.hears(welcome());
  play.passes(10_000);
  play.do((it, now) => it.closed(4000, "slow_reader", now));
  assert.equal(play.pause, 500);
});

test("coming back names token, epoch and the last offset", () => {
  const play = new Play();
  play.enters();
  play.hears(events(12, said("bruno", "hi")), events(12, said("bruno", "ho")));
  play.reopens();
  assert.deepEqual(play.done(), [
    "open",
    { type: "enter", nickname: "anna", resume: { token: "t", epoch: "e", offset: 12 } },
  ]);
});

test("what was missed comes in order and once, and does not change the members", () => {
  const play = new Play();
  play.enters();
  play.hears(events(11, said("bruno", "one")));
  play.reopens();
  play.hears(
    welcome({ offset: 14, token: "t2", members: ["carla", "anna"] }),
    events(12, left("anna"), left("bruno"), joined("carla"), joined("dora")),
    events(13, said("carla", "two"), left("dora")),
    events(14, said("carla", "three"), joined("elisa")),
  );
  assert.deepEqual(play.texts("said"), ["one", "two", "three"]);
  assert.deepEqual(play.session.chat.lobby.roster.sorted(), ["anna", "carla", "elisa"]);
  assert.equal(play.session.isMember, true);
});

test("a connection that breaks in the middle of what was missed goes on from there", () => {
  const play = new Play();
  play.enters();
  play.hears(events(11, said("bruno", "one")));
  play.reopens();
  play.hears(welcome({ offset: 20 }), events(15, said("bruno", "two")));
  play.done();
  play.reopens();
  assert.equal(play.done().at(-1).resume.offset, 15);
});

test("a connection that breaks before what was missed goes on from the old place", () => {
  const play = new Play();
  play.enters();
  play.hears(events(11, said("bruno", "one")));
  play.reopens();
  play.hears(welcome({ offset: 20 }));
  play.done();
  play.reopens();
  assert.equal(play.done().at(-1).resume.offset, 11);
});

test("where the service itself missed something, the place is marked", () => {
  const play = new Play();
  play.enters();
  play.writes("mine");
  play.hears(events(11, said("bruno", "one")), { type: "missed", epoch: "e", offset: 40 });
  play.hears({ type: "sent", id: 1 });
  play.hears(events(11, left("bruno")), events(41, said("dora", "two")));
  assert.deepEqual(
    play.lines.slice(-4).map((it) => it.text ?? it.key),
    ["one", "notice.gap", "mine", "two"],
  );
  assert.equal(play.lines.at(-3).grave, true);
  play.done();
  play.reopens();
  assert.equal(play.done().at(-1).resume.offset, 41);
});

test("what is missing is not asked for again", () => {
  const play = new Play();
  play.enters();
  play.hears({ type: "missed", epoch: "e", offset: 40 });
  play.done();
  play.reopens();
  assert.equal(play.done().at(-1).resume.offset, 40);
});

test("whose node shuts down is told that it restarts, until one is inside again", () => {
  const play = new Play();
  play.enters();
  assert.equal(play.session.status, "inside");
  play.do((it, now) => it.closed(4000, "drained", now));
  assert.deepEqual([play.session.state, play.session.status], ["waiting", "restarting"]);
  play.passes(play.pause);
  assert.equal(play.session.status, "opening");
  play.do((it, now) => it.closed(1006, "", now));
  assert.equal(play.session.status, "restarting");
  play.passes(play.pause);
  play.do((it, now) => it.opened(now));
  play.hears(welcome());
  play.passes(22_000); // nothing comes: the connection is given up
  assert.deepEqual([play.session.state, play.session.status], ["waiting", "waiting"]);
});

test("a missing part is told, before what follows", () => {
  const play = new Play();
  play.enters();
  play.reopens();
  play.hears(welcome({ epoch: "f", offset: 3, missed: "some" }));
  play.done();
  play.reopens();
  assert.deepEqual(play.done().at(-1).resume, { token: "t", epoch: "f", offset: 3 });
  play.hears(welcome({ epoch: "f", offset: 3, missed: "some" }));
  play.hears({ ...events(2, said("bruno", "late")), epoch: "f" });
  assert.deepEqual(
    play.lines.slice(-2).map((it) => it.key ?? it.text),
    ["notice.missed", "late"],
  );
  play.done();
  play.reopens();
  assert.deepEqual(play.done().at(-1).resume, { token: "t", epoch: "f", offset: 2 });
});

test("events of before the place where this stands are dropped", () => {
  const play = new Play();
  play.enters();
  play.hears(events(12, said("bruno", "new")), events(11, said("bruno", "old")));
  assert.deepEqual(play.texts("said"), ["new"]);
});

test("what was typed meanwhile is sent when there is a connection, in order", () => {
  const play = new Play();
  play.enters();
  play.do((it, now) => it.closed(1006, "", now));
  play.writes("one");
  play.writes("two", "bruno");
  assert.deepEqual(play.done(), []);
  play.passes(500);
  play.do((it, now) => it.opened(now));
  play.hears(welcome());
  assert.deepEqual(play.done().slice(2), [
    { type: "say", id: 1, text: "one" },
    { type: "whisper", id: 2, to: "bruno", text: "two" },
  ]);
});

test("what was carried out is not sent again, what was not is, in order", () => {
  const play = new Play();
  play.enters();
  for (const text of ["one", "two", "three"]) play.writes(text);
  play.hears(events(11, said("anna", "one")), { type: "sent", id: 1 });
  play.do((it, now) => it.closed(1006, "", now));
  play.writes("four");
  play.done();
  play.passes(500);
  play.do((it, now) => it.opened(now));
  play.hears(welcome({ done: 2, offset: 13 }), events(12, said("anna", "two")));
  assert.deepEqual(
    play
      .done()
      .slice(2)
      .map(({ id, text }) => [id, text]),
    [
      [3, "three"],
      [4, "four"],
    ],
  );
  assert.deepEqual(play.texts("said"), ["one", "two"]);
  assert.deepEqual(
    play.session.chat.lobby.outbox.pending().map(({ text }) => text),
    ["three", "four"],
  );
});

test("a message whose own copy was seen is never sent again", () => {
  const play = new Play();
  play.enters();
  play.writes("one");
  play.hears(events(11, said("anna", "one")));
  play.reopens();
  play.done();
  play.hears(welcome({ done: 1, offset: 13 }));
  assert.deepEqual(play.done(), []);
  assert.deepEqual(play.texts("said"), ["one"]);
  assert.equal(play.session.chat.lobby.outbox.size, 0);
});

test("a message that was carried out, and is missing in what follows, is in the log all the same", () => {
  const play = new Play();
  play.enters();
  play.writes("one");
  play.reopens();
  play.hears(welcome({ done: 1, offset: 13, missed: "some" }));
  assert.deepEqual(play.texts("said"), []);
  play.passes(3000);
  assert.deepEqual(play.texts("said"), ["one"]);
  assert.equal(play.session.chat.lobby.outbox.size, 0);
});

test("a private message that was carried out and lost its answer is told as such", () => {
  const play = new Play();
  play.enters();
  play.writes("one", "bruno");
  play.reopens();
  play.hears(welcome({ done: 1, offset: 13 }));
  assert.equal(play.lines.at(-1).state, "unanswered");
});

test("what was refused is told as such where the refusal was lost, though a later message was carried out", () => {
  const play = new Play();
  play.enters();
  play.writes("one", "bruno");
  play.writes("two");
  play.writes("three");
  play.writes("four");
  play.reopens();
  play.done();
  play.hears(welcome({ done: 3, refused: [1, 2], offset: 13 }));
  const failed = play.lines.filter((it) => it.kind === "failed");
  assert.deepEqual(
    failed.map((it) => [it.text, it.reason]),
    [
      ["one", "refused"],
      ["two", "refused"],
    ],
  );
  assert.deepEqual(play.done(), [{ type: "say", id: 4, text: "four" }]);
  play.passes(3000);
  assert.deepEqual(play.texts("said"), ["three"]);
});

test("a service that has forgotten what it acknowledged is not sent anything twice", () => {
  const play = new Play();
  play.enters();
  play.writes("one");
  play.writes("two");
  play.hears(events(11, said("anna", "one")), { type: "sent", id: 1 });
  play.reopens();
  play.done();
  play.hears(welcome({ done: 0, epoch: "f", offset: 1, missed: "some" }));
  assert.deepEqual(play.done(), []);
  assert.deepEqual(play.texts("failed"), ["two"]);
  assert.equal(play.lines.at(-1).reason, "unsure");
});

test("a private message that comes again on the next connection is shown once, and confirmed", () => {
  const play = new Play();
  play.enters();
  const whispered = { type: "whispered", from: "bruno", text: "ok", at: 5 };
  play.hears(whispered, whispered);
  play.reopens();
  play.hears(welcome({ offset: 12 }), whispered, { ...whispered, at: 6 });
  assert.deepEqual(play.texts("whispered"), ["ok", "ok", "ok"]);
  play.done();
  play.passes(100);
  assert.deepEqual(play.done(), [{ type: "received", count: 2 }]);
});

test("a dead connection is noticed within 25 seconds, though one only reads", () => {
  const play = new Play();
  play.enters();
  for (let round = 0; round < 5; round += 1) {
    play.passes(12_000);
    play.hears({ type: "ping" });
  }
  assert.deepEqual(play.done(), [], "who is pinged asks nothing");
  play.passes(25_000);
  assert.notEqual(play.session.state, "inside");
  assert.deepEqual(play.done().slice(0, 2), [{ type: "ping" }, "drop"]);
});

test("a service whose pings are late is asked, and keeps the connection if it answers", () => {
  const play = new Play();
  play.enters();
  for (let round = 0; round < 5; round += 1) {
    play.passes(20_000);
    assert.deepEqual(play.done(), [{ type: "ping" }]);
    play.hears({ type: "pong" });
  }
  assert.equal(play.session.state, "inside");
});

test("a page whose timers slept asks before it gives the connection up", () => {
  const play = new Play();
  play.enters();
  play.now += 3_600_000;
  play.do((it, now) => it.due(now));
  assert.deepEqual(play.done(), [{ type: "ping" }]);
  play.hears({ type: "pong" });
  assert.equal(play.session.state, "inside");
});

test("a page that is shown again asks at once, and knows in six seconds", () => {
  const play = new Play();
  play.enters();
  play.do((it, now) => it.shown(now));
  play.do((it, now) => it.shown(now));
  assert.deepEqual(play.done(), [{ type: "ping" }]);
  play.passes(6_000);
  assert.equal(play.session.state, "waiting");
  play.do((it, now) => it.shown(now));
  assert.equal(play.session.state, "opening", "a pause is not made while somebody looks");
});

test("a service that does not say that it pings is not asked", () => {
  const play = new Play();
  play.enters("anna", { heartbeat: undefined });
  play.do((it, now) => it.shown(now));
  play.passes(600_000);
  assert.equal(play.session.state, "inside");
  assert.deepEqual(play.done(), []);
});

test("while the service keeps nothing, one stays connected and is told that messages wait", () => {
  const play = new Play();
  play.enters();
  play.writes("one");
  play.passes(4_999);
  assert.equal(play.session.status, "inside");
  play.passes(1);
  assert.equal(play.session.status, "stalled");
  for (let round = 0; round < 10; round += 1) {
    play.passes(12_000);
    play.hears({ type: "ping" });
  }
  assert.equal(play.session.status, "stalled");
  play.hears(events(11, said("anna", "one")), { type: "sent", id: 1 });
  assert.equal(play.session.status, "inside");
});

test("what is shown goes by the clock on the wall, and nothing else does", () => {
  const play = new Play();
  play.session.clock(50_000, play.now);
  play.enters();
  assert.equal(play.lines.at(-1).at, 50_000);
  play.do((it, now) => it.closed(1006, "", now));
  play.session.clock(-3_600_000_000, play.now);
  play.passes(500);
  assert.equal(play.session.state, "opening");
});

test("a connection that does not open, and a service that does not answer, are given up", () => {
  const play = new Play();
  play.do((it, now) => it.enter("anna", "", now));
  play.passes(10_000);
  assert.equal(play.session.state, "waiting");
  play.passes(500);
  play.do((it, now) => it.opened(now));
  play.passes(60_000);
  assert.equal(play.session.state, "waiting");
});

test("another network means another connection, at once", () => {
  const play = new Play();
  play.enters();
  play.do((it, now) => it.networkChanged(now));
  assert.deepEqual(play.done(), ["drop", "open"]);
  play.do((it, now) => it.closed(1006, "", now));
  play.do((it, now) => it.hurry(now));
  assert.deepEqual(play.done(), ["ask", "open"]);
});

test("a name that was given away meanwhile leads back to the entrance, with what was not sent", () => {
  const play = new Play();
  play.enters();
  play.do((it, now) => it.closed(1006, "", now));
  play.writes("one");
  play.passes(500);
  play.do((it, now) => it.opened(now));
  play.hears({ type: "refused", reason: "nickname_taken" });
  assert.equal(play.session.state, "refused");
  assert.equal(play.session.isMember, false);
  assert.equal(play.session.explanation?.key, "refused.meanwhile");
  assert.deepEqual(play.texts("failed"), ["one"]);
  play.do((it, now) => it.enter("anna2", "", now));
  assert.equal(play.done().at(-1).resume, undefined);
});

test("being administrator is what the welcome says", () => {
  const play = new Play();
  play.enters("anna", { members: ["anna"] });
  play.reopens();
  play.hears(welcome({ members: ["bruno", "anna"], offset: 12 }));
  assert.equal(play.session.chat.isAdministrator, false);
  assert.equal(play.lines.at(-1).key, "notice.no_administrator");
});

// --- The end -------------------------------------------------------------------------------------

test("leaving is confirmed by the close, and the log is gone", () => {
  const play = new Play();
  play.enters();
  play.do((it, now) => it.leave(now));
  assert.deepEqual(play.done(), [{ type: "leave" }]);
  play.do((it, now) => it.closed(1000, "left", now));
  assert.equal(play.session.state, "outside");
  assert.equal(play.session.explanation?.key, "ended.left");
  assert.deepEqual(play.lines, []);
});

test("leaving does not wait for a service that says nothing", () => {
  const play = new Play();
  play.enters();
  play.do((it, now) => it.leave(now));
  play.passes(3000);
  assert.equal(play.session.state, "outside");
  assert.equal(play.session.explanation?.key, "ended.left");
});

test("leaving without a connection is leaving", () => {
  const play = new Play();
  play.enters();
  play.do((it, now) => it.closed(1006, "", now));
  play.do((it, now) => it.leave(now));
  assert.equal(play.session.state, "outside");
  assert.equal(play.session.explanation?.key, "ended.left");
});

test("the administrator closes the chat", () => {
  const play = new Play();
  play.enters("anna", { members: ["anna"] });
  play.do((it, now) => it.closeChat(now));
  assert.deepEqual(play.done(), [{ type: "close" }]);
  play.hears(events(11, { type: "closed", nickname: "anna" }));
  play.do((it, now) => it.closed(1000, "chat_closed", now));
  assert.equal(play.session.state, "outside");
  assert.equal(play.session.explanation?.key, "ended.closed_by_you");
});

test("a chat that was closed stays closed when the connection breaks before it is closed in order", () => {
  const play = new Play();
  play.enters();
  play.hears(events(11, { type: "closed", nickname: "bruno" }));
  play.do((it, now) => it.closed(1006, "", now));
  assert.equal(play.session.state, "outside");
  assert.deepEqual(play.session.explanation, { key: "ended.closed", values: { name: "bruno" } });
});

test("who is told not to come back does not, and keeps the log", () => {
  const play = new Play();
  play.enters();
  play.hears(events(11, said("bruno", "hi")));
  play.do((it, now) => it.closed(4001, "displaced", now));
  assert.equal(play.session.state, "outside");
  assert.equal(play.session.explanation?.key, "ended.displaced");
  assert.equal(play.session.deadline, null);
  assert.deepEqual(play.texts("said"), ["hi"]);
  play.do((it, now) => it.enter("bruno", "", now));
  assert.deepEqual(play.lines, [], "another person does not read on");
});

test("who is removed by an operator is told why, and does not come back", () => {
  for (const { type, because, until } of [
    { type: "kicked", because: "too loud" },
    { type: "banned", because: "spam" },
    { type: "kicked", because: "" },
    { type: "banned", because: "spam", until: 1_795_000_000_000 },
    { type: "banned", because: "", until: 1_795_000_000_000 },
  ]) {
    const play = new Play();
    play.enters();
    play.hears({ type, reason: because, until });
    play.do((it, now) => it.closed(4001, type, now));
    assert.equal(play.session.state, "outside");
    assert.equal(play.session.deadline, null);
    const { explanation } = play.session;
    const how = `${because && "_because"}${until === undefined ? "" : "_until"}`;
    assert.equal(explanation?.key, `ended.${type}${how}`);
    assert.equal(explanation?.values.because, because);
    assert.equal(explanation?.values.until, until ?? 0);
  }
});

test("who is banned is refused", () => {
  const play = new Play();
  play.do((it, now) => it.enter("anna", "", now));
  play.do((it, now) => it.opened(now));
  play.hears({ type: "refused", reason: "banned", until: 1_795_000_000_000 });
  assert.equal(play.session.explanation?.key, "refused.banned_until");
  play.do((it, now) => it.closed(4001, "banned", now));
  assert.equal(play.session.explanation?.key, "ended.banned_until", "by an address, for any name");
  assert.equal(play.session.deadline, null);
});

test("reasons that are not known are told as they are", () => {
  const play = new Play();
  play.enters();
  play.do((it, now) => it.closed(4001, "moon", now));
  assert.equal(play.session.explanation?.key, "ended.other");
  assert.equal(play.session.explanation?.values.reason, "moon");
});

test("a session that ended and is entered again begins anew", () => {
  const play = new Play();
  play.enters();
  play.writes("one");
  play.do((it, now) => it.closed(4001, "displaced", now));
  assert.deepEqual(play.texts("failed"), ["one"]);
  play.done();
  play.do((it, now) => it.enter("anna", "", now));
  play.do((it, now) => it.opened(now));
  play.hears(welcome({ token: "t9" }));
  play.writes("two");
  assert.deepEqual(play.done().slice(1), [
    { type: "enter", nickname: "anna" },
    { type: "say", id: 1, text: "two" },
  ]);
});

// --- Another page --------------------------------------------------------------------------------

test("another page goes on: same token, same place, same numbers", () => {
  const play = new Play();
  play.enters();
  play.writes("one");
  play.writes("two");
  play.hears(events(11, said("anna", "one")), { type: "sent", id: 1 });
  play.hears({ type: "whispered", from: "bruno", text: "ok", at: 5 });
  const saved = JSON.parse(JSON.stringify(play.session.snapshot()));
  const next = new Play();
  next.do((it, now) => it.goOn(saved, now));
  next.writes("three");
  next.do((it, now) => it.opened(now));
  next.hears(welcome({ done: 1, offset: 13 }), {
    type: "whispered",
    from: "bruno",
    text: "ok",
    at: 5,
  });
  assert.deepEqual(next.done(), [
    "open",
    { type: "enter", nickname: "anna", resume: { token: "t", epoch: "e", offset: 11 } },
    { type: "say", id: 2, text: "two" },
    { type: "say", id: 3, text: "three" },
  ]);
  assert.deepEqual(next.texts("whispered"), []);
});

test("there is nothing to go on with outside, or when leaving", () => {
  const play = new Play();
  assert.equal(play.session.snapshot(), null);
  play.enters();
  play.do((it, now) => it.leave(now));
  assert.equal(play.session.snapshot(), null);
});

// --- The table -----------------------------------------------------------------------------------

test("every state can be reached and left", () => {
  /** @type {Set<State>} */
  const reached = new Set(["outside"]);
  for (const state of reached) {
    for (const next of Object.values(NEXT[state])) reached.add(next);
  }
  assert.deepEqual([...reached].sort(), Object.keys(NEXT).sort());
  for (const [state, ways] of Object.entries(NEXT)) {
    assert.notEqual(Object.keys(ways).length, 0, state);
  }
});

test("nothing that a socket does, in whatever state, makes a session fail", () => {
  let seed = 7;
  const random = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  /** @type {(list: any[]) => any} */
  const pick = (list) => list[Math.floor(random() * list.length)];
  for (let round = 0; round < 300; round += 1) {
    const play = new Play(random);
    let isOpen = false;
    for (let step = 0; step < 60; step += 1) {
      for (const act of play.done()) {
        if (act === "open") isOpen = true;
        if (act === "drop") isOpen = false;
        assert.ok(typeof act === "string" || isOpen, "sent without a socket");
      }
      const offset = 10 + step;
      /** @type {(() => unknown)[]} */
      const steps = [
        () => play.do((it, now) => it.enter(pick(["anna", "bruno"]), "", now)),
        () => play.writes(pick(["one", "two"]), pick([null, "bruno", "anna"])),
        () => play.passes(pick([10, 600, 4_000, 30_000])),
        () => play.do((it, now) => it.leave(now)),
        () => play.do((it, now) => it.closeChat(now)),
        () => play.do((it, now) => it.networkChanged(now)),
        () => play.do((it, now) => it.hurry(now)),
      ];
      if (isOpen) {
        steps.push(
          () => play.do((it, now) => it.opened(now)),
          () => play.hears(welcome({ offset, done: pick([0, 1, 2]) })),
          () => play.hears(welcome({ offset, missed: "some" })),
          () => play.hears({ type: "refused", reason: "nickname_taken" }),
          () => play.hears(events(offset, said("anna", "one"), joined("x"), left("anna"))),
          () => play.hears({ type: "sent", id: pick([1, 2, 3]) }),
          () => play.hears({ type: "failed", id: pick([1, 2]), reason: "unknown_recipient" }),
          () =>
            play.hears({ type: "error", reason: "?" }, { type: "forbidden" }, { type: "slowed" }),
          () => play.hears({ type: "whispered", from: "bruno", text: "x", at: 1 }),
          () => {
            isOpen = false;
            play.do((it, now) => it.closed(pick([1000, 1006, 4000, 4001]), "", now));
          },
        );
      }
      pick(steps)();
      const { state, isMember, deadline } = play.session;
      if (state === "waiting" || state === "opening") assert.notEqual(deadline, null);
      if (state === "outside") assert.equal(isMember, false);
      if (state === "inside") assert.equal(isMember, true);
    }
  }
});
