/** The page's words, and what it leaves behind. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Chat } from "../../service/tertulia/web/chat/chat.js";
import { cleaned, MAX_TEXT, read, weight } from "../../service/tertulia/web/session/frames.js";
import { forget, leave, share, take } from "../../service/tertulia/web/session/memory.js";
import { DE } from "../../service/tertulia/web/texts/de.js";
import { EN_DIALOGS } from "../../service/tertulia/web/texts/dialogs/en.js";
import { EN } from "../../service/tertulia/web/texts/en.js";
import { ES } from "../../service/tertulia/web/texts/es.js";
import { FR } from "../../service/tertulia/web/texts/fr.js";
import { IT } from "../../service/tertulia/web/texts/it.js";
import { chooseLanguage, LANGUAGES } from "../../service/tertulia/web/texts/phrases.js";
import { load, loadDialogs, Texts } from "../../service/tertulia/web/texts/texts.js";

/**
 * @import { Language } from "../../service/tertulia/web/texts/phrases.js"
 * @import { Forms } from "../../service/tertulia/web/texts/phrases.js"
 */

/** @type {(text: string) => (string | undefined)[]} */
const values = (text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();
/** @type {(text: string | Forms) => string[]} */
const forms = (text) => (typeof text === "object" ? Object.values(text) : [text]);

test("every language has every text, with the same values in it", async () => {
  const english = new Map(Object.entries({ ...EN, ...EN_DIALOGS }));
  for (const language of /** @type {Language[]} */ (Object.keys(LANGUAGES))) {
    const texts = { ...(await load(language)), ...(await loadDialogs(language)) };
    assert.deepEqual(Object.keys(texts), [...english.keys()], language);
    for (const [key, text] of Object.entries(texts)) {
      const wanted = new Set(forms(english.get(key) ?? "").flatMap(values));
      assert.deepEqual(new Set(forms(text).flatMap(values)), wanted, `${language} ${key}`);
    }
  }
});

test("the reader's first language that there is, is taken", () => {
  assert.equal(chooseLanguage(["rm-CH", "it-CH", "en"]), "it");
  assert.equal(chooseLanguage(["ES"]), "es");
  assert.equal(chooseLanguage(["fr-CA"]), "fr");
  assert.equal(chooseLanguage(["rm"]), "en");
  assert.equal(chooseLanguage(["constructor"]), "en");
  assert.equal(chooseLanguage([]), "en");
});

test("texts take values as they are, and numbers in their form", () => {
  const texts = new Texts(IT, "it", "it-IT");
  assert.equal(
    texts.say("ended.closed", { name: "{count} $& <b>" }),
    "{count} $& <b> ha chiuso la chat.",
  );
  assert.equal(texts.say("log.new", { count: 1 }), "1 nuovo messaggio");
  assert.equal(texts.say("log.new", { count: 12_345 }), "12.345 nuovi messaggi");
});

test("a time is told as it is written there", () => {
  const texts = new Texts(DE, "de", "de-DE");
  const told = texts.say("ended.banned_until", { until: new Date(2026, 10, 30, 9, 5).getTime() });
  assert.equal(told, "Du bist bis 30.11.2026, 09:05 aus diesem Chat ausgeschlossen.");
});

test("what a newer service says is told as it is", () => {
  const texts = new Texts(EN, "en");
  const told = texts.sayOr("refused.moon_phase", { name: "anna", reason: "moon_phase" });
  assert.equal(told, "“anna” was refused: moon_phase");
});

test("whatever reason the service has, it is told in words", () => {
  const texts = new Texts(EN, "en");
  for (const reason of ["invalid_nickname", "nickname_taken", "banned"]) {
    assert.ok(texts.has(`refused.${reason}`), reason);
  }
  for (const reason of ["unknown_recipient", "mailbox_full"]) {
    assert.ok(texts.has(`failed.${reason}`), reason);
  }
});

test("names are listed, the rest counted", () => {
  const english = new Texts(EN, "en", "en-GB");
  assert.equal(english.names(["anna"], 1), "anna");
  assert.equal(english.names(["anna", "bruno"], 39), "anna, bruno and 37 more");
  assert.equal(new Texts(IT, "it").names(["anna", "bruno"], 39), "anna, bruno e altri 37");
  assert.equal(new Texts(DE, "de").names(["anna", "bruno"], 39), "anna, bruno und 37 mehr");
  assert.equal(new Texts(FR, "fr").names(["anna", "bruno"], 39), "anna, bruno et 37 autres");
  assert.equal(new Texts(ES, "es").names(["anna", "bruno", "carla"], 3), "anna, bruno y carla");
});

test("text has lines and no other controls", () => {
  assert.equal(cleaned("a\r\nb\nc\rd\u2028e\u0085f"), "a\nb\nc\nd\ne\nf");
  assert.equal(cleaned("a\tb\u0000\u001b[31mc\u007f\u009f"), "a\tb[31mc");
  assert.equal(cleaned("👍 \udc4d x"), "👍 \ufffd x");
  assert.equal(cleaned("a\u202eb\u2066c\u2069d"), "abcd");
  assert.equal(weight("à👍"), 6);
});

test("a letter keeps a few combining marks, as at the service", () => {
  const acute = "\u0301";
  const most = `e${acute.repeat(6)}`.normalize();
  assert.equal(cleaned(`e${acute.repeat(9)}e${acute.repeat(6)}`), most.repeat(2));
  assert.equal(
    cleaned(`e${`${acute}\u200b`.repeat(8)}`),
    `e${`${acute}\u200b`.repeat(6)}\u200b\u200b`.normalize(),
  );
  assert.equal(cleaned("\u05e9\u05bc\u05c1\u05b8\u0591"), "\u05e9\u05b8\u05bc\u05c1\u0591");
  assert.equal(cleaned("👩‍👩‍👧❤️".repeat(4)), "👩‍👩‍👧❤️".repeat(4));
});

test("whatever text fits, its frame fits", () => {
  for (const text of ['"'.repeat(MAX_TEXT), "\\".repeat(MAX_TEXT), "\t".repeat(MAX_TEXT)]) {
    const frame = { type: "whisper", id: Number.MAX_SAFE_INTEGER, to: "x".repeat(32), text };
    assert.ok(weight(JSON.stringify(frame)) <= 16_384);
  }
});

test("only objects with a type are frames", () => {
  assert.deepEqual(read('{"type":"sent","id":1}'), { type: "sent", id: 1 });
  for (const text of ["", "{", "null", "[]", "1", '"x"', '{"type":1}', "{}"]) {
    assert.equal(read(text), null, text);
  }
});

const LEFT = {
  snapshot: { token: "t", chat: new Chat().snapshot() },
  rooms: { ops: { lines: [], read: 0, draft: { to: "carla", text: "half a" } } },
};

class Storage {
  kept = new Map();
  /** @param {string} key */
  getItem(key) {
    return this.kept.get(key) ?? null;
  }
  /**
   * @param {string} key
   * @param {string} value
   */
  setItem(key, value) {
    this.kept.set(key, value);
  }
  /** @param {string} key */
  removeItem(key) {
    this.kept.delete(key);
  }
}

test("what is left is taken once, while it is fresh", () => {
  const storage = new Storage();
  assert.equal(take(storage, 0), null);
  leave(storage, LEFT, 1000);
  const left = take(storage, 2000);
  assert.equal(left?.snapshot.token, "t");
  assert.deepEqual(left?.rooms, LEFT.rooms);
  assert.equal(take(storage, 2000), null);
  leave(storage, LEFT, 1000);
  assert.equal(take(storage, 1000 + 3_600_000), null);
  leave(storage, LEFT, 1000);
  forget(storage);
  assert.equal(take(storage, 1000), null);
});

test("what the version before left is taken as well", () => {
  const storage = new Storage();
  const { snapshot, rooms } = LEFT;
  storage.setItem("tertulia", JSON.stringify({ snapshot, ...rooms.ops, at: 1 }));
  assert.deepEqual(take(storage, 2)?.rooms, { "": rooms.ops }); // it knew the lobby alone
});

test("of many rooms, fewer lines each are left", () => {
  assert.equal(share(1), 300);
  assert.equal(share(10), 300);
  assert.equal(share(51), 59);
});

test("a browser that keeps nothing does no harm", () => {
  const refuse = () => {
    throw new Error("denied");
  };
  const storage = { getItem: refuse, setItem: refuse, removeItem: refuse };
  leave(storage, LEFT, 1);
  forget(storage);
  assert.equal(take(storage, 1), null);
});
