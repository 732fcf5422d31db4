/** The console's parts that touch no document: events, lines, paths, the token, words. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { isSaid, KEPT, Lines } from "../../service/tertulia/console/room/lines.js";
import { Api, Problem, pathOf } from "../../service/tertulia/console/service/api.js";
import { EventReader } from "../../service/tertulia/console/service/events.js";
import { Rights } from "../../service/tertulia/console/session/rights.js";
import { forget, keep, kept, tokenIn } from "../../service/tertulia/console/session/token.js";
import { EN } from "../../service/tertulia/console/texts/en.js";
import { load } from "../../service/tertulia/console/texts/words.js";
import { LANGUAGES } from "../../service/tertulia/web/texts/phrases.js";

/** @import { Forms, Language } from "../../service/tertulia/web/texts/phrases.js" */

/** @type {(text: string) => (string | undefined)[]} */
const values = (text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
/** @type {(text: string | Forms) => string[]} */
const forms = (text) => (typeof text === "object" ? Object.values(text) : [text]);

test("every language has every text, with the same values in it", async () => {
  const english = Object.entries(EN);
  for (const language of /** @type {Language[]} */ (Object.keys(LANGUAGES))) {
    const words = await load(language);
    assert.deepEqual(Object.keys(words), Object.keys(EN), language);
    for (const [key, text] of english) {
      const said = words[/** @type {keyof typeof EN} */ (key)];
      const found = new Set(forms(said).flatMap(values));
      found.delete("count"); // one form may say "one"
      const wanted = new Set(forms(text).flatMap(values));
      wanted.delete("count");
      assert.deepEqual(found, wanted, `${language} ${key}`);
      assert.equal(typeof said, typeof text, `${language} ${key}`);
      if (language !== "en") assert.ok(forms(said).every(Boolean), `${language} ${key}`);
    }
  }
});

test("what a button says is the beginning of its name, for who speaks to it", async () => {
  const pairs = [
    ["mute.act", "mute.act_whom"],
    ["unmute.act", "unmute.act_whom"],
    ["kick.act", "kick.act_whom"],
    ["ban.act", "ban.act_whom"],
    ["bans.lift", "bans.lift_whom"],
    ["moderators.dismiss", "moderators.dismiss_whom"],
    ["accounts.password_act", "accounts.password_of"],
    ["accounts.delete", "accounts.delete_whom"],
    ["nodes.drain", "nodes.drain_which"],
  ];
  for (const language of /** @type {Language[]} */ (Object.keys(LANGUAGES))) {
    const words = /** @type {Record<string, string>} */ (await load(language));
    for (const [shown = "", name = ""] of pairs) {
      assert.ok(words[name]?.startsWith(words[shown] ?? "?"), `${language} ${name}`);
    }
  }
});

const STREAM =
  "retry: 1000\nevent: hello\nid: e:4\ndata: {}\n\n: still here\n\n" +
  'event: said\nid: e:5.1\ndata: {"text":\ndata: "à"}\n\nevent: left\nid: e:5\ndata:{}\n\nid: e:6\n\ndata: x';
const EVENTS = [
  { type: "hello", data: "{}" },
  { type: "said", data: '{"text":\n"à"}' },
  { type: "left", data: "{}" },
];

test("events are read wherever the text is cut, and whatever ends its lines", () => {
  for (const end of ["\n", "\r\n", "\r"]) {
    const text = STREAM.replaceAll("\n", end);
    for (let cut = 0; cut <= text.length; cut++) {
      const reader = new EventReader();
      const events = [...reader.push(text.slice(0, cut)), ...reader.push(text.slice(cut))];
      assert.deepEqual(events, EVENTS, `${JSON.stringify(end)} ${cut}`);
      assert.equal(reader.lastId, "e:6");
      assert.equal(reader.retry, 1000);
    }
    const reader = new EventReader();
    assert.deepEqual(
      [...text].flatMap((it) => reader.push(it)),
      EVENTS,
    );
  }
});

test("an event that is not whole is not where one goes on", () => {
  const reader = new EventReader("e:1");
  reader.push("id: e:2\ndata: x\n");
  assert.equal(reader.lastId, "e:1");
  reader.push("\n");
  assert.equal(reader.lastId, "e:2");
});

/** @type {(offset: number, text?: string) => any} */
const message = (offset, text = `m${offset}`) => ({
  id: `${offset}.0`,
  position: `e:${offset}`,
  at: new Date(offset * 1000).toISOString(),
  nickname: "anna",
  text,
});
/** @type {(offset: number) => any} */
const said = (offset) => ({ ...message(offset), place: `${offset}.0` });
/** @type {(lines: Lines) => string[]} */
const texts = (lines) => lines.all.map((it) => (isSaid(it) ? it.text : it.kind));

test("what comes while the log is asked for stands once, in its place", () => {
  const lines = new Lines();
  lines.happened("said", said(3));
  lines.happened("redacted", { place: "2.0", position: "e:4", at: message(4).at });
  assert.equal(lines.came({ items: [1, 2, 3].map((it) => message(it)), next: "e:1" }), 2);
  assert.deepEqual(texts(lines), ["m1", "", "m3", "redacted"].with(1, "m2"));
  assert.ok(lines.all.some((it) => isSaid(it) && it.place === "2.0" && it.isRedacted));
  assert.equal(lines.happened("said", said(3)), false);
  assert.equal(lines.before, "e:1");
});

test("a redacted message keeps no words", () => {
  const lines = new Lines();
  lines.came({ items: [message(1, "secret")], next: null });
  lines.happened("redacted", { place: "1.0", position: "e:2" });
  assert.ok(!JSON.stringify(lines.all).includes("secret"));
});

test("too many lines are forgotten, and asked for again without a hole", () => {
  const lines = new Lines();
  lines.came({ items: [message(1)], next: null });
  for (let i = 2; i <= KEPT + 10; i++) lines.happened("said", said(i));
  lines.trim();
  assert.equal(lines.all.length, KEPT);
  assert.equal(lines.before, "e:11"); // before 11: up to 10
  lines.came({ items: [9, 10].map((it) => message(it)), next: "e:9" });
  assert.deepEqual(texts(lines).slice(0, 3), ["m9", "m10", "m11"]);
});

test("a log that begins anew has its mark above it", () => {
  const lines = new Lines();
  lines.clear();
  lines.happened("gap", { position: "f:0", entries: null });
  lines.came({ items: [message(1)], next: null });
  assert.deepEqual(texts(lines), ["gap", "m1"]);
});

test("names are steps of a path, also those that would lead elsewhere; no step is empty", () => {
  assert.equal(pathOf("bans", "address", "192.0.2.0/24"), "bans/address/192.0.2.0%2F24");
  assert.equal(pathOf("rooms", "a+b", "people", "c?d#e"), "rooms/a%2Bb/people/c%3Fd%23e");
  for (const name of [".", ".."]) {
    assert.equal(pathOf("rooms", "ops", "people", name), `rooms/ops/people/@${name}`);
  }
  assert.throws(() => pathOf("rooms", "ops", "people", ""), Problem);
});

test("the token is in a header and in no address; a problem says what the service said", async () => {
  /** @type {[string, any][]} */
  const asked = [];
  /** @type {string[]} */
  const refused = [];
  /** @type {boolean[]} */
  const reached = [];
  const answers = [
    new Response(null, { status: 204 }),
    new Response('{"type":"urn:tertulia:no-room","detail":"there is no room x"}', { status: 404 }),
    new Response('{"detail":"nobody has this token"}', { status: 401 }),
    new Response("<html>", { status: 502, statusText: "Bad Gateway" }),
  ];
  const api = new Api({
    token: "secret",
    root: new URL("https://chat.example/v1/"),
    onRefused: (problem) => refused.push(problem.message),
    onReached: (isReached) => reached.push(isReached),
    fetch: async (url, request) => {
      asked.push([String(url), request]);
      const answer = answers.shift();
      if (answer === undefined) throw new TypeError("no network");
      return answer;
    },
  });
  assert.equal(await api.act("PUT", "rooms/ops/topic", { text: "x" }), null);
  const [url, request] = asked[0] ?? ["", {}];
  assert.equal(url, "https://chat.example/v1/rooms/ops/topic");
  assert.equal(request.headers.Authorization, "Bearer secret");
  assert.equal(request.credentials, "omit");
  await assert.rejects(api.get("rooms/x"), { message: "there is no room x", kind: "no-room" });
  await assert.rejects(api.get("self"), { status: 401 });
  assert.deepEqual(refused, ["nobody has this token"]);
  await assert.rejects(api.get("self"), { message: "502 Bad Gateway" });
  await assert.rejects(api.get("self"), { status: 0, kind: "unreachable" });
  assert.equal(reached.at(-1), false);
});

test("a token is what was pasted, and nothing that can't be one", () => {
  assert.equal(tokenIn("  Bearer tertulia_x-Y_1\n"), "tertulia_x-Y_1");
  for (const wrong of ["", " ", "two words", "ünlikely", "a\nb"])
    assert.equal(tokenIn(wrong), null);
});

test("a browser that keeps nothing does no harm", () => {
  const storage = () => {
    throw new Error("denied");
  };
  keep(storage, "x");
  assert.equal(kept(storage), null);
  forget(storage);
});

test("what is offered is what the scopes and the rooms allow", () => {
  /** @type {(scopes: any[], rooms?: string[]) => Rights} */
  const rights = (scopes, rooms = ["*"]) => new Rights({ name: "x", chat: "main", scopes, rooms });
  assert.ok(!rights(["say"]).sees);
  assert.ok(rights(["read"]).sees && !rights(["read"]).moderates);
  assert.ok(rights(["moderate"]).moderates && !rights(["moderate"]).operates);
  assert.ok(rights(["operate"]).moderates);
  assert.ok(rights(["read"]).covers("ops"));
  assert.ok(!rights(["read"], ["ops"]).covers("lobby"));
});
