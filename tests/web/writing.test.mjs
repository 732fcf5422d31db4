/** What is typed, read: commands, lines, completion, and the last own lines. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Roster } from "../../service/tertulia/web/chat/roster.js";
import { cleaned, isVisible } from "../../service/tertulia/web/session/frames.js";
import { carryOut } from "../../service/tertulia/web/writing/commands.js";
import { closedEmoji, complete, MOST } from "../../service/tertulia/web/writing/completion.js";
import { EMOJI } from "../../service/tertulia/web/writing/emoji.js";
import { commandOf, sayText, textOf, tooMuch } from "../../service/tertulia/web/writing/lines.js";
import { Recall } from "../../service/tertulia/web/writing/recall.js";

/** @import { Complaint } from "../../service/tertulia/web/writing/commands.js" */

/**
 * Carry out a text as anna, who writes to carla, and return what was done.
 * @param {string} text
 * @param {string} room
 */
function doing(text, room = "") {
  /** @type {unknown[][]} */
  const done = [];
  /** @type {(name: string) => (...values: any[]) => any} */
  const note =
    (name) =>
    (...values) => {
      done.push([name, ...values]);
      return null;
    };
  const written = commandOf(text);
  const say = note("say");
  const deeds = {
    say,
    turnTo: note("turnTo"),
    recipient: () => "carla",
    ownName: () => "anna",
    rename: note("rename"),
    leave: note("leave"),
    help: note("help"),
    search: note("search"),
    room: () => room,
    join: note("join"),
    part: note("part"),
    rooms: note("rooms"),
    topic: note("topic"),
  };
  const outcome = written === null ? sayText("carla", text, say) : carryOut(written, deeds);
  const complaint = /** @type {Complaint} */ (outcome);
  return complaint === null ? done : [...done, complaint.key];
}

test("what is no command is said, with its lines", () => {
  assert.deepEqual(doing("hello"), [["say", "carla", "hello"]]);
  assert.deepEqual(doing(" 1\r\n\n \u200b\n 2\u2028\t3"), [["say", "carla", " 1\n\n\n 2\n\t3"]]);
  assert.deepEqual(doing("andy: \nhi bruno \t"), [["say", "carla", "andy:\nhi bruno"]]);
  assert.deepEqual(doing("/msg bruno hi carla "), [["say", "bruno", "hi carla"]]);
  assert.deepEqual(doing("a / b and/or ://"), [["say", "carla", "a / b and/or ://"]]);
  assert.deepEqual(doing("/ me"), [["say", "carla", "/ me"]]);
  assert.deepEqual(doing("/"), [["say", "carla", "/"]]);
  assert.deepEqual(doing("// a remark"), [["say", "carla", "// a remark"]]);
});

test("a slash and a word is a command, or refused, whatever stands before it", () => {
  for (const before of ["", " ", "\t", "\n", "\u200b", "\ufeff \u2060", "\u00ad"]) {
    assert.deepEqual(doing(`${before}/msg bruno psst`), [["say", "bruno", "psst"]]);
    assert.deepEqual(doing(`${before}/usr/bin is a place`), ["write.unknown_command"]);
    assert.deepEqual(doing(`${before}/constructor`), ["write.unknown_command"]);
  }
  assert.deepEqual(doing("one\n/msg bruno two"), ["write.misplaced"]);
  assert.deepEqual(doing("one\n \u200b/usr/bin"), ["write.misplaced"]);
});

test("two slashes say it as it is", () => {
  assert.deepEqual(doing("//msg bruno psst"), [["say", "carla", "/msg bruno psst"]]);
  assert.deepEqual(doing("ls:\n //usr/bin"), [["say", "carla", "ls:\n /usr/bin"]]);
  assert.deepEqual(doing("///"), [["say", "carla", "///"]]);
});

test("a private message by command", () => {
  assert.deepEqual(doing("/MSG @bruno:  a  b "), [["say", "bruno", "a  b"]]);
  assert.deepEqual(doing("/w bruno a\nb"), [["say", "bruno", "a\nb"]]);
  assert.deepEqual(doing("/msg g all"), [["say", null, "all"]]);
  assert.deepEqual(doing("/msg bruno \u200b"), [["turnTo", "bruno"]]);
  for (const text of ["register secret", "PASSWORD old new", "unregister secret"]) {
    assert.deepEqual(doing(`/msg G ${text}`), ["write.for_everybody"]);
  }
  assert.deepEqual(doing("/msg bruno register soon"), [["say", "bruno", "register soon"]]);
  assert.deepEqual(doing("/msg G"), [["turnTo", null]]);
  assert.deepEqual(doing("/msg"), ["write.usage"]);
});

test("the other commands", () => {
  assert.deepEqual(doing("/me waves\nand goes "), [["say", "carla", "* anna waves\nand goes"]]);
  assert.deepEqual(doing("/me waves\n/msg bruno psst"), ["write.misplaced"]);
  assert.deepEqual(doing("/me \u200b"), ["write.usage"]);
  assert.deepEqual(doing("/nick dora "), [["rename", "dora"]]);
  assert.deepEqual(doing("/nick"), ["write.usage"]);
  assert.deepEqual(doing("/nick a b"), ["write.usage"]);
  assert.deepEqual(doing("/quit"), [["leave"]]);
  assert.deepEqual(doing("/help me"), [["help"]]);
});

test("code is said as it is", () => {
  const code = "```sh\n/usr/bin/true\n//etc # `x`\n\n  ``y``\n```";
  assert.deepEqual(doing(`see\n${code}\n`), [["say", "carla", `see\n${code}`]]);
  assert.deepEqual(doing("```\n/msg bruno psst"), ["write.misplaced"]);
  assert.deepEqual(doing("```\na\n```\n/msg bruno psst"), ["write.misplaced"]);
});

test("a text has bounds", () => {
  assert.equal(textOf("\n \n a \n\u200b\nb\n\n"), " a\n\nb");
  assert.equal(textOf(" \n\u200b"), "");
  assert.equal(tooMuch("a\n".repeat(49)), null);
  assert.equal(tooMuch("a\n".repeat(50))?.key, "write.too_many_lines");
  assert.equal(tooMuch("é".repeat(2048)), null);
  assert.deepEqual(tooMuch("é".repeat(2049))?.values, { count: 2 });
});

test("what shows nothing is nothing", () => {
  for (const text of [
    "",
    " \u00a0\u3000",
    "\u200b\u200d\ufeff",
    "\u2800",
    "\u3164\uffa0",
    "\u0301",
    "\u{e0041}",
  ]) {
    assert.equal(isVisible(text), false, JSON.stringify(text));
  }
  for (const text of [".", "e\u0301", "👍🏽", "1️⃣", "ه", "\u{1fae9}", "\ue000"]) {
    assert.equal(isVisible(text), true, JSON.stringify(text));
  }
  assert.equal(cleaned("e\u0301"), "\u00e9");
});

/** @type {(before: string, onDemand?: boolean) => [number, string[]] | null} */
function completed(before, onDemand = true) {
  const roster = new Roster();
  roster.reset(["anna", "Andy", "andrea", "bruno", "joanna"]);
  const found = complete(
    before,
    { roster, nickname: "anna", rooms: ["ops", "office", "tea"] },
    onDemand,
    EMOJI,
  );
  return found && [found.from, found.options.map((it) => it.text)];
}

test("rooms are come into, left, listed and given a topic by a command", () => {
  assert.deepEqual(doing("/join #Ops "), [["join", "ops"]]);
  assert.deepEqual(doing("/j ops"), [["join", "ops"]]);
  for (const wrong of [
    "/join",
    "/join #",
    "/join a b",
    "/join ü",
    "/join #-x",
    `/join ${"x".repeat(33)}`,
  ])
    assert.deepEqual(doing(wrong), ["write.usage"], wrong);
  assert.deepEqual(doing("/part", "ops"), [["part", "ops"]]);
  assert.deepEqual(doing("/part #tea", "ops"), [["part", "tea"]]);
  assert.deepEqual(doing("/part"), [["leave"]]);
  assert.deepEqual(doing("/part #"), ["write.usage"]);
  assert.deepEqual(doing("/rooms"), [["rooms"]]);
  assert.deepEqual(doing("/list"), [["rooms"]]);
  assert.deepEqual(doing("/topic coffee & tea "), [["topic", "coffee & tea"]]);
  assert.deepEqual(doing("/topic"), ["write.usage"]);
});

test("rooms are completed behind their sign", () => {
  assert.deepEqual(completed("come to #o", false), [8, ["#office ", "#ops "]]);
  assert.deepEqual(completed("/join #", false), [6, ["#office ", "#ops ", "#tea "]]);
  assert.equal(completed("a#o", false), null);
  assert.equal(completed("#x"), null);
});

test("names are completed on demand, the own one left out", () => {
  assert.deepEqual(completed("an"), [0, ["andrea: ", "Andy: "]]);
  assert.deepEqual(completed("hello AND"), [6, ["andrea ", "Andy "]]);
  assert.deepEqual(completed("an", false), null);
  assert.deepEqual(completed("xy"), null);
  assert.deepEqual(completed("an "), null);
  assert.deepEqual(completed(""), null);
});

test("signs that ask for it bring names, commands and emoji", () => {
  assert.deepEqual(completed("psst @b", false), [6, ["bruno "]]);
  assert.deepEqual(completed("a@b", false), null);
  assert.deepEqual(completed("/msg b", false), [5, ["bruno "]]);
  assert.equal(completed("/msg ", false)?.[1].length, 4);
  assert.deepEqual(completed("/me b", false), null);
  assert.deepEqual(completed("/m", false), [0, ["/msg ", "/me "]]);
  assert.deepEqual(completed("so :waV", false), [3, ["👋", "🌊"]]);
  assert.deepEqual(completed("12:30", false), null);
  assert.equal(completed("so :he", false)?.[1].length, MOST);
});

test("an emoji's whole name becomes the emoji", () => {
  assert.deepEqual(closedEmoji("so :wave:", EMOJI), { from: 3, text: "👋" });
  assert.deepEqual(closedEmoji("👋:+1:", EMOJI), { from: 2, text: "👍" });
  assert.equal(closedEmoji("a:x:", EMOJI), null);
  assert.equal(closedEmoji("12:30:", EMOJI), null);
  assert.equal(closedEmoji(":no_such_name:", EMOJI), null);
  assert.ok(EMOJI.size > 200);
});

test("the last own lines come back to whom they were written", () => {
  const recall = new Recall();
  recall.add(null, "one");
  recall.add("Bruno", "secret");
  recall.add(null, "two");
  assert.equal(recall.move(1, "", null), "two");
  assert.equal(recall.move(1, "two", null), "one");
  assert.equal(recall.move(1, "one", null), null);
  assert.equal(recall.move(-1, "one", null), "two");
  assert.equal(recall.move(-1, "two", null), "");
  assert.equal(recall.move(-1, "", null), null);
  assert.equal(recall.move(1, "", "bruno"), "secret");
  assert.equal(recall.move(1, "secret!", "bruno"), null);
});

test("a search is asked for by a word", () => {
  assert.deepEqual(doing("/search  two words "), [["search", "two words"]]);
  assert.deepEqual(doing("/find x"), [["search", "x"]]);
});
