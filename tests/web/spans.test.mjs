/** Links, code and the reader's own name in what was written. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { isNamed, spansOf } from "../../service/tertulia/web/chat/spans.js";
import { quickest } from "./quickest.mjs";

/**
 * The parts of a text, as `kind:text`.
 * @type {(text: string, nickname?: string) => string[]}
 */
const parts = (text, nickname = "") =>
  spansOf(text, nickname).map(({ kind, text }) => `${kind}:${text}`);
/** @type {(text: string) => (string | undefined)[]} */
const links = (text) =>
  spansOf(text, "").flatMap((span) => (span.kind === "link" ? [span.text] : []));

test("an address ends before what ends the sentence", () => {
  const address = "https://example.org/a_(b)/c?d=e&f=g#h";
  for (const around of [
    "*",
    "(*)",
    "*.",
    "*, and",
    "“*”",
    "see *!?",
    "[*]",
    "<*>",
    "«*»…",
    "*。",
  ]) {
    assert.deepEqual(links(around.replace("*", () => address)), [address], around);
  }
  assert.deepEqual(links("http://a.example/x) http://b.example/(y)"), [
    "http://a.example/x",
    "http://b.example/(y)",
  ]);
  assert.deepEqual(links("HTTPS://EXAMPLE.org/"), ["HTTPS://EXAMPLE.org/"]);
  assert.deepEqual(links("https://example.org/?q=[1]&r=a.b"), ["https://example.org/?q=[1]&r=a.b"]);
});

test("what is no address of the web stays words", () => {
  for (const text of [
    "javascript:alert(1)",
    "http://",
    "https://...",
    "xhttps://example.org",
    "https://bank.example@elsewhere.example/",
    "ftp://example.org",
    "https:// example.org",
  ]) {
    assert.deepEqual(parts(text), [`words:${text}`]);
  }
});

test("a link leads where it says", () => {
  const [span] = spansOf("https://EXAMPLE.org/à b", "");
  assert.deepEqual(span, {
    kind: "link",
    text: "https://EXAMPLE.org/à",
    href: "https://example.org/%C3%A0",
  });
});

test("code stands between backticks, and nothing in it is a link or a name", () => {
  assert.deepEqual(parts("run `make  test` now", "make"), [
    "words:run ",
    "code:make  test",
    "words: now",
  ]);
  assert.deepEqual(parts("```a b```"), ["code:a b"]);
  assert.deepEqual(parts("`https://example.org/`"), ["code:https://example.org/"]);
  assert.deepEqual(parts("a ` b"), ["words:a ` b"]);
  assert.deepEqual(parts("``"), ["words:``"]);
});

test("a block of code has lines of its own", () => {
  assert.deepEqual(parts("see:\n```js\nlet a = `anna`;\n\n  // ``\n```\nand anna", "anna"), [
    "words:see:\n",
    "block:let a = `anna`;\n\n  // ``\n",
    "words:and ",
    "name:anna",
  ]);
  assert.deepEqual(parts("```\na\n```\n```\nb\n```"), ["block:a\n", "block:b\n"]);
  for (const text of ["```\n```", "```\na", "x ```\na\n```", "```\na\n``` x", "`a\nb`"]) {
    assert.deepEqual(parts(text).join("").replaceAll("words:", ""), text);
  }
  // Four times the text takes about four times as long: were each block looked for from its begin on, sixteen times.
  for (const text of ["```\n", "```a\n`", "\n```"]) {
    const growth =
      quickest(() => spansOf(text.repeat(8000), "")) /
      quickest(() => spansOf(text.repeat(2000), ""));
    assert.ok(growth < 10, `${growth}`);
  }
});

test("one's name is found as a word, whatever its case", () => {
  for (const text of [
    "anna: hi",
    "hi Anna",
    "@anna",
    "anna.",
    "(ANNA)",
    "ciao anna, e tu?",
    "…anna…",
  ]) {
    assert.ok(isNamed(text, "anna"), text);
  }
  for (const text of [
    "joanna",
    "annamaria",
    "anna-maria",
    "anna_2",
    "x.anna",
    "anna.b",
    "annà",
    "",
    "anna@example.org",
    "bob@anna",
    "`anna`",
    "https://anna.example/anna",
  ]) {
    assert.ok(!isNamed(text, "anna"), text);
  }
  assert.ok(isNamed("hi a.b+c-d!", "a.b+c-d"));
  assert.ok(!isNamed("hi axb+c-d!", "a.b+c-d"));
  assert.ok(!isNamed("anything", ""));
});

test("a name that is a word is meant only with a sign", () => {
  for (const text of ["a: hi", "@a", "ask @a."]) assert.ok(isNamed(text, "a"), text);
  for (const text of ["a cat", "it is a, b", "A"]) assert.ok(!isNamed(text, "a"), text);
});

test("the parts of a text are the text", () => {
  const text = "anna: see https://example.org/, Anna! (https://b.example/x)";
  assert.deepEqual(parts(text, "anna"), [
    "name:anna",
    "words:: see ",
    "link:https://example.org/",
    "words:, ",
    "name:Anna",
    "words:! (",
    "link:https://b.example/x",
    "words:)",
  ]);
});

test("no text takes long", () => {
  const texts = [
    "`",
    "``x",
    "`x",
    "https://",
    "https://x.example/(",
    "https://x)",
    "anna",
    "@",
    "a.",
    ")",
  ];
  /** @type {(text: string) => number} */
  const taken = (text) => quickest(() => spansOf(text, "anna"));
  // One link after the other: what that takes on this machine, at this moment.
  const usual = taken("https://x.example ".repeat(228));
  for (const text of texts) {
    const whole = text.repeat(4096 / text.length);
    for (const it of [whole, `https://x.example/${whole}`]) {
      const times = taken(it) / usual;
      assert.ok(times < 50, `${it.slice(0, 40)}: ${times}`);
    }
  }
});
