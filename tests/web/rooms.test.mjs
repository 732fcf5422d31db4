/** Further rooms, as a session goes through them. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { roomNamed } from "../../service/tertulia/web/rooms/names.js";
import { events, joined, left, Play, said, welcome } from "./play.mjs";

/** @type {(room: string, values?: object) => object} */
const seat = (room, values) => ({
  ...welcome({ epoch: `e ${room}`, offset: 5, members: ["carla", "anna"], history: 0, ...values }),
  type: "room",
  room,
});
/** @type {(room: string, offset: number, ...list: object[]) => object} */
const eventsIn = (room, offset, ...list) => ({
  ...events(offset, ...list),
  epoch: `e ${room}`,
  room,
});

/** Be in the lobby and in some rooms, the last of which is shown. @param {...string} names */
function inRooms(...names) {
  const play = new Play();
  play.enters();
  for (const name of names) {
    play.do((it) => it.join(name));
    play.hears(seat(name));
  }
  play.done();
  return play;
}

/** @type {(play: Play, room?: string) => (string | undefined)[]} */
function talk(play, room = "") {
  const lines = play.session.chat.room(room)?.transcript.tail(100) ?? [];
  /** @type {any[]} */
  const known = lines;
  return known.map((it) => it.text ?? it.key ?? it.kind);
}

test("names of rooms", () => {
  for (const [text, name] of [
    ["#ops", "ops"],
    ["Ops", "ops"],
    ["#a.b_c+d-e", "a.b_c+d-e"],
    ["9", "9"],
  ])
    assert.equal(roomNamed(String(text)), name);
  for (const text of ["", "#", "##a", "-a", "#_a", "a b", "ä", "\u212a", "x".repeat(33)])
    assert.equal(roomNamed(text), null, text);
});

test("a room is asked for once, and has members, log and rules of its own", () => {
  const play = new Play();
  play.enters();
  play.do((it) => it.join("ops"));
  play.do((it) => it.join("ops"));
  assert.deepEqual(play.done(), [{ type: "join", room: "ops" }]);
  play.hears(eventsIn("ops", 3, said("bruno", "of a time when one was in it")));
  play.hears(seat("ops", { topic: "what runs", owner: "carla", moderators: ["carla"] }));
  play.hears(eventsIn("ops", 6, joined("dora"), said("dora", "hi"), left("carla")));
  play.hears(events(11, said("bruno", "in the lobby")));
  const ops = play.session.chat.room("ops");
  assert.deepEqual(ops?.roster.sorted(), ["anna", "dora"]);
  assert.equal(ops?.rules.topic, "what runs");
  assert.deepEqual(play.session.chat.lobby.roster.sorted(), ["anna", "bruno"]);
  assert.deepEqual(talk(play, "ops"), ["notice.in_room", "traffic", "hi", "traffic"]);
  assert.deepEqual(talk(play), ["notice.entered", "in the lobby"]);
});

test("before one is in the chat, a room is only wanted", () => {
  const play = new Play();
  play.do((it) => it.join("ops"));
  play.do((it, now) => it.write(null, "hello", now, "ops"));
  play.enters();
  assert.deepEqual(play.done(), []);
  play.do((it) => it.join("tea"));
  assert.deepEqual(play.done(), [{ type: "join", room: "tea" }]);
});

test("what is written before one is in a room waits, and is said there", () => {
  const play = new Play();
  play.enters();
  play.do((it) => it.join("ops"));
  play.do((it, now) => it.write(null, "hello", now, "ops"));
  play.writes("to all");
  assert.deepEqual(play.done(), [
    { type: "join", room: "ops" },
    { type: "say", id: 2, text: "to all" },
  ]);
  play.hears(seat("ops"));
  assert.deepEqual(play.done(), [{ type: "say", id: 1, text: "hello", room: "ops" }]);
  play.hears({ type: "sent", id: 1, room: "ops" });
  assert.deepEqual(talk(play, "ops"), ["notice.in_room", "hello"]);
  // Answers of two rooms have no order.
  assert.equal(play.session.chat.waiting, 1);
  play.hears({ type: "failed", id: 2, reason: "muted" });
  assert.deepEqual(play.texts("failed"), ["to all"]);
});

test("all rooms are resumed by their places, and each is sent again what it did not take", () => {
  const play = inRooms("ops", "tea");
  play.hears(eventsIn("ops", 7, said("carla", "seven")));
  play.do((it, now) => it.write(null, "one", now, "ops"));
  play.do((it, now) => it.write(null, "two", now, "tea"));
  play.do((it, now) => it.write(null, "three", now, "ops"));
  play.do((it, now) => it.write("bruno", "psst", now, "tea"));
  play.reopens();
  const entered = play.done().at(-1);
  assert.deepEqual(entered.rooms, {
    ops: { epoch: "e ops", offset: 7 },
    tea: { epoch: "e tea", offset: 5 },
  });
  play.hears(welcome({ resumed: true, done: 0, offset: 12 }));
  assert.deepEqual(play.done(), [{ type: "whisper", id: 4, to: "bruno", text: "psst" }]);
  play.hears(seat("tea", { resumed: true, done: 2, refused: [2], offset: 9 }));
  assert.deepEqual(play.done(), []);
  assert.deepEqual(talk(play, "tea"), ["notice.in_room", "two"]);
  play.hears(seat("ops", { resumed: true, done: 1, offset: 9 }));
  assert.deepEqual(play.done(), [{ type: "say", id: 3, text: "three", room: "ops" }]);
  play.hears(
    eventsIn("ops", 7, said("carla", "seven")),
    eventsIn("ops", 8, said("carla", "eight")),
  );
  assert.deepEqual(talk(play, "ops"), ["notice.in_room", "seven", "eight"]);
});

test("a room's place is kept until what was missed has come", () => {
  const play = inRooms("ops");
  play.reopens();
  play.hears(welcome({ resumed: true, offset: 12 }), seat("ops", { resumed: true, offset: 9 }));
  play.done();
  play.reopens();
  assert.deepEqual(play.done().at(-1).rooms, { ops: { epoch: "e ops", offset: 5 } });
  play.hears(welcome({ resumed: true, offset: 12 }));
  play.hears(seat("ops", { resumed: false, missed: "some", epoch: "e2", offset: 1 }));
  assert.deepEqual(talk(play, "ops").slice(1), ["notice.missed"]);
});

test("who leaves a room reads nothing more of it, also who comes back at once", () => {
  const play = inRooms("ops");
  play.do((it, now) => it.part("ops", now));
  play.do((it) => it.join("ops"));
  assert.deepEqual(play.done(), [
    { type: "part", room: "ops" },
    { type: "join", room: "ops" },
  ]);
  play.hears(eventsIn("ops", 6, said("carla", "of before")));
  play.hears({ type: "parted", room: "ops", reason: "left" }, seat("ops", { offset: 8 }));
  assert.deepEqual(talk(play, "ops"), ["notice.in_room"]);
  play.do((it, now) => it.part("ops", now));
  assert.equal(play.session.chat.shown, play.session.chat.lobby);
  play.hears(eventsIn("ops", 9, said("carla", "after")));
  assert.deepEqual(talk(play), ["notice.entered"]);
});

test("a room that is left without a connection is left with the next", () => {
  const play = inRooms("ops");
  play.do((it, now) => it.closed(1006, "", now));
  play.do((it, now) => it.part("ops", now));
  play.passes(play.pause);
  play.do((it, now) => it.opened(now));
  assert.equal(play.done().at(-1).rooms, undefined);
  play.hears(welcome({ resumed: true }));
  assert.deepEqual(play.done(), [{ type: "part", room: "ops" }]);
});

test("who is removed or refused reads why, and keeps what was private or not said", () => {
  const play = inRooms("ops");
  play.hears({ type: "whispered", from: "bruno", text: "psst", at: 1 });
  play.do((it, now) => it.write(null, "half said", now, "ops"));
  play.hears({ type: "parted", room: "ops", reason: "kicked", words: "off topic" });
  assert.deepEqual(talk(play), ["notice.entered", "half said", "psst", "notice.room_kicked"]);
  assert.equal(play.lines.at(-1).values.because, ": off topic");
  play.do((it) => it.join("tea"));
  play.hears({ type: "failed", action: "join", room: "tea", reason: "full" });
  assert.equal(talk(play).at(-1), "joining.full");
  assert.equal(play.session.chat.rooms.size, 0);
  play.hears({ type: "parted", room: "tea", reason: "displaced" });
  assert.equal(talk(play).at(-1), "joining.full");
});

test("a private message is in the log of the room that is shown, and of the room it was written in", () => {
  const play = inRooms("ops");
  play.do((it, now) => it.write("bruno", "mine", now, "ops"));
  assert.deepEqual(
    play.session.chat.pending().map((it) => it.text),
    ["mine"],
  );
  play.session.chat.shown = play.session.chat.lobby;
  assert.deepEqual(play.session.chat.pending(), []);
  play.hears({ type: "sent", id: 1 }, { type: "whispered", from: "bruno", text: "his", at: 1 });
  assert.deepEqual(talk(play, "ops"), ["notice.in_room", "mine"]);
  assert.deepEqual(talk(play), ["notice.entered", "his"]);
  play.hears({ type: "undelivered", to: "bruno", text: "mine", id: 1 });
  assert.equal(talk(play).at(-1), "notice.undelivered");
  /** @type {any} */
  const line = play.session.chat.room("ops")?.transcript.tail(1)[0];
  assert.equal(line.state, "undelivered");
});

test("only one thing is asked of the past at a time, of all rooms", () => {
  const play = new Play();
  play.enters("anna", { history: 50 });
  play.hears(past("", 8, ["a"]));
  play.do((it) => it.join("ops"));
  play.hears(seat("ops", { history: 50 }), past("ops", 4, ["b"]));
  play.done();
  play.do((it) => it.lookBack());
  play.session.chat.shown = play.session.chat.lobby;
  play.do((it) => it.search("a"));
  assert.deepEqual(play.done(), [{ type: "history", before: 4, index: 0, room: "ops" }]);
  play.hears(past("ops", 2, ["c"]));
  assert.deepEqual(play.done(), [{ type: "search", text: "a" }]);
  play.hears({ type: "error", reason: "one at a time" });
  assert.equal(play.session.chat.lobby.past.isSearching, false);
  assert.deepEqual(talk(play, "ops").slice(1), ["c", "b", "notice.in_room"]);
});

/** @type {(room: string, before: number, texts: string[]) => object} */
function past(room, before, texts) {
  return {
    type: "past",
    epoch: room === "" ? "e" : `e ${room}`,
    before,
    index: 0,
    messages: texts.map((text, index) => ({
      offset: before,
      index,
      at: 1,
      nickname: "carla",
      text,
    })),
    more: true,
    ...(room !== "" && { room }),
  };
}

test("which rooms there are is asked once at a time, and again after a lost connection", () => {
  const play = inRooms();
  play.do((it) => it.askRooms());
  play.do((it) => it.askRooms());
  assert.deepEqual(play.done(), [{ type: "rooms" }]);
  play.reopens();
  play.hears(welcome({ resumed: true }));
  play.done();
  play.do((it) => it.askRooms());
  assert.deepEqual(play.done(), [{ type: "rooms" }]);
  const rooms = [{ room: "ops", members: 3, topic: "" }];
  play.hears({ type: "rooms", rooms });
  assert.deepEqual(play.session.chat.listed, rooms);
});

test("a moderator's acts, and what comes of them, are of the room that is shown", () => {
  const play = inRooms("ops");
  play.do((it) => it.moderate({ action: "topic", text: "tea" }));
  assert.deepEqual(play.done(), [{ type: "moderate", action: "topic", text: "tea", room: "ops" }]);
  play.session.chat.shown = play.session.chat.lobby;
  play.hears({ type: "forbidden", action: "topic", room: "ops" });
  assert.equal(talk(play, "ops").at(-1), "notice.not_moderated");
  play.hears(eventsIn("ops", 6, { type: "owner", nickname: "anna" }));
  assert.equal(play.session.chat.room("ops")?.rules.isModerator, true);
  play.hears(eventsIn("ops", 7, { type: "outsiders", on: true, by: "anna" }));
  assert.deepEqual(talk(play, "ops").slice(2), ["notice.owner", "notice.outsiders"]);
});

test("who comes in under another name is in the same rooms", () => {
  const play = inRooms("ops");
  play.do((it, now) => it.rename("nora", now));
  play.do((it, now) => it.closed(1000, "left", now));
  play.do((it, now) => it.opened(now));
  play.hears(welcome({ nickname: "nora" }));
  assert.deepEqual(play.done().slice(1).at(-1), { type: "join", room: "ops" });
  assert.deepEqual(talk(play, "ops"), []);
});

test("who was sent away is in its rooms again on coming back, and who left is not", () => {
  const play = inRooms("ops");
  play.do((it, now) => it.closed(4001, "kicked", now));
  play.do((it, now) => it.enter("anna", "", now));
  play.do((it, now) => it.opened(now));
  play.hears(welcome({ token: "t2" }));
  assert.deepEqual(play.done().at(-1), { type: "join", room: "ops" });
  play.hears(seat("ops"));
  play.do((it, now) => it.leave(now));
  play.do((it, now) => it.closed(1000, "left", now));
  assert.equal(play.session.chat.rooms.size, 0);
});

test("another page goes on in all rooms", () => {
  const play = inRooms("ops");
  play.hears(eventsIn("ops", 7, said("carla", "seven")));
  play.do((it, now) => it.write(null, "one", now, "ops"));
  const saved = JSON.parse(JSON.stringify(play.session.snapshot()));
  const next = new Play();
  next.do((it, now) => it.goOn(saved, now));
  next.do((it, now) => it.opened(now));
  assert.deepEqual(next.done().at(-1).rooms, { ops: { epoch: "e ops", offset: 7 } });
  next.hears(welcome({ resumed: true }), seat("ops", { resumed: true, done: 0, offset: 9 }));
  assert.deepEqual(next.done(), [{ type: "say", id: 1, text: "one", room: "ops" }]);
  next.do((it, now) => it.write(null, "two", now, ""));
  assert.equal(next.done()[0].id, 2);
});
