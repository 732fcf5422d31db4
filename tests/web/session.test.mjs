/** A session, told what happens and at what time. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { NEXT, Session } from "../../service/tertulia/web/session.js";

/** @import { Act, State } from "../../service/tertulia/web/session.js" */

/** A session under test with a service in front of it that is played by the test. */
class Play {
  constructor(random = () => 0) {
    this.session = new Session(random);
    this.now = 1_000_000;
    /** @type {Act[]} */
    this.acts = [];
  }

  /**
   * Let the session take a step, and note what it wants done.
   * @template Result
   * @param {(session: Session, now: number) => Result} step
   */
  do(step) {
    const result = step(this.session, this.now);
    this.acts.push(...this.session.takeActs());
    return result;
  }

  /**
   * Return what it wanted done since this was last asked; a test knows what frames those are.
   * @returns {any[]}
   */
  done() {
    const done = this.acts.map((it) => (it.act === "send" ? it.frame : it.act));
    this.acts = [];
    return done;
  }

  /** @param {...unknown} frames */
  hears(...frames) {
    for (const frame of frames) this.do((it, now) => it.received(JSON.stringify(frame), now));
  }

  /** @param {number} milliseconds */
  passes(milliseconds) {
    const end = this.now + milliseconds;
    while (this.session.deadline !== null && this.session.deadline <= end) {
      this.now = this.session.deadline;
      this.do((it, now) => it.due(now));
    }
    this.now = end;
  }

  enters(nickname = "anna", values = {}) {
    this.do((it, now) => it.enter(nickname, "", now));
    this.do((it, now) => it.opened(now));
    this.hears(welcome({ nickname, members: ["bruno", nickname], ...values }));
    this.done();
  }

  /** Lose the connection and open the next one, up to the question who it is. */
  reopens() {
    this.do((it, now) => it.closed(1006, "", now));
    this.passes(this.pause);
    this.do((it, now) => it.opened(now));
  }

  /**
   * @param {string} text
   * @param {string | null} to
   */
  writes(text, to = null) {
    return this.do((it, now) => it.write(to, text, now));
  }

  /** Return the milliseconds until something is due. */
  get pause() {
    const { deadline } = this.session;
    assert.ok(deadline !== null, "nothing is due");
    return deadline - this.now;
  }

  /**
   * Return the last lines of the log; a test knows of what kind they are.
   * @returns {any[]}
   */
  get lines() {
    return this.session.chat.transcript.tail(100);
  }

  /** @param {...string} kinds */
  texts(...kinds) {
    return this.lines.filter(({ kind }) => kinds.includes(kind)).map((it) => it.text ?? it.key);
  }
}

/** @param {object} [values] */
function welcome(values) {
  return {
    type: "welcome",
    nickname: "anna",
    token: "t",
    done: 0,
    members: ["bruno", "anna"],
    epoch: "e",
    offset: 10,
    missed: "nothing",
    ...values,
  };
}

/**
 * @param {number} offset
 * @param {...object} list
 */
function events(offset, ...list) {
  return { type: "events", epoch: "e", offset, at: 1_000_000 + offset, events: list };
}

/** @type {(nickname: string, text: string) => object} */
const said = (nickname, text) => ({ type: "said", nickname, text });
/** @type {(nickname: string) => object} */
const joined = (nickname) => ({ type: "joined", nickname });
/** @type {(nickname: string) => object} */
const left = (nickname) => ({ type: "left", nickname });

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
  assert.deepEqual(play.session.chat.roster.sorted(), ["anna", "bruno"]);
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

// --- Talking -------------------------------------------------------------------------------------

test("an own public message is pending, then in its place in the log, once", () => {
  const play = new Play();
  play.enters();
  play.writes("one");
  assert.deepEqual(play.done(), [{ type: "say", id: 1, text: "one" }]);
  assert.equal(play.session.chat.outbox.pending().length, 1);
  play.hears(events(11, said("bruno", "hi"), said("anna", "one")));
  assert.equal(play.session.chat.outbox.pending().length, 0);
  play.hears({ type: "sent", id: 1 });
  assert.deepEqual(play.texts("said"), ["hi", "one"]);
  assert.equal(play.session.chat.outbox.size, 0);
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

test("an error answers the message that is next to be answered", () => {
  const play = new Play();
  play.enters();
  play.writes("one");
  play.writes("two");
  play.hears(events(11, said("anna", "one")), { type: "sent", id: 1 });
  play.hears({ type: "error", reason: "no" });
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

test("only what makes sense is sent, and within the bound", () => {
  const play = new Play();
  assert.equal(play.writes("one"), "outside");
  play.enters();
  assert.equal(play.writes(" \n "), "empty");
  assert.equal(play.writes("à".repeat(2049)), "too_long");
  assert.equal(play.writes("à".repeat(2048)), null);
  play.done();
  play.writes("two\nlines\u0007 and a half \ud800");
  assert.deepEqual(play.done(), [{ type: "say", id: 2, text: "two lines and a half \ufffd" }]);
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
  assert.deepEqual(play.session.chat.roster.sorted(), ["anna", "Carla"]);
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
  assert.deepEqual(play.session.chat.roster.sorted(), ["anna", "carla", "elisa"]);
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
  play.writes("x");
  play.passes(20_000); // nothing comes: the connection is given up
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
    play.session.chat.outbox.pending().map(({ text }) => text),
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
  assert.equal(play.session.chat.outbox.size, 0);
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
  assert.equal(play.session.chat.outbox.size, 0);
});

test("a private message that was carried out and lost its answer is told as such", () => {
  const play = new Play();
  play.enters();
  play.writes("one", "bruno");
  play.reopens();
  play.hears(welcome({ done: 1, offset: 13 }));
  assert.equal(play.lines.at(-1).state, "unanswered");
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

test("a connection that owes an answer and is silent is given up", () => {
  const play = new Play();
  play.enters();
  play.passes(60_000);
  assert.equal(play.session.state, "inside");
  play.writes("one");
  play.passes(15_000);
  play.hears(events(11, said("bruno", "hi")));
  play.passes(19_000);
  assert.equal(play.session.state, "inside");
  play.done();
  play.passes(1_000);
  assert.equal(play.session.state, "waiting");
  assert.deepEqual(play.done(), ["drop"]);
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
  assert.deepEqual(play.done(), ["open"]);
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
  for (const { type, because } of [
    { type: "kicked", because: "too loud" },
    { type: "banned", because: "spam" },
    { type: "kicked", because: "" },
  ]) {
    const play = new Play();
    play.enters();
    play.hears({ type, reason: because });
    play.do((it, now) => it.closed(4001, type, now));
    assert.equal(play.session.state, "outside");
    assert.equal(play.session.deadline, null);
    const { explanation } = play.session;
    assert.equal(explanation?.key, because === "" ? `ended.${type}` : `ended.${type}_because`);
    if (because !== "") assert.deepEqual(explanation?.values, { because });
  }
});

test("who is banned is refused", () => {
  const play = new Play();
  play.do((it, now) => it.enter("anna", "", now));
  play.do((it, now) => it.opened(now));
  play.hears({ type: "refused", reason: "banned" });
  assert.equal(play.session.explanation?.key, "refused.banned");
  play.do((it, now) => it.closed(4001, "banned", now));
  assert.equal(play.session.explanation?.key, "ended.banned", "by an address, for any name");
  assert.equal(play.session.deadline, null);
});

test("reasons that are not known are told as they are", () => {
  const play = new Play();
  play.enters();
  play.do((it, now) => it.closed(4001, "moon", now));
  assert.deepEqual(play.session.explanation, { key: "ended.other", values: { reason: "moon" } });
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
