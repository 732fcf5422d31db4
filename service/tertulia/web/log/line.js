/**
 * How one line of the log looks. Whatever somebody wrote goes in as text, never as markup.
 *
 * Its parts stand in the order in which they are read: what is copied, or read aloud, is
 * `18:53 andy: Hello everybody`.
 */

import { SERVER } from "../chat/chat.js";
import { spansOf } from "../chat/spans.js";
import { element } from "../document/element.js";
import { fold, isVisible } from "../session/frames.js";

/**
 * @import { Entry } from "../chat/outbox.js"
 * @import { Span } from "../chat/spans.js"
 * @import { Likeness } from "../chat/likeness.js"
 * @import { Texts } from "../texts/texts.js"
 * @import { Failed, Line, Notice, Numbered, Passage, Said, Traffic, Whispered } from "../chat/transcript.js"
 */

/** Colours that names can have; the style sheet has as many. */
const HUES = 12;
/** Forms that the signs of names can have, likewise: two names of one colour mostly differ in it. */
const FORMS = 4;

/**
 * Return the class of a nickname's colour: the same for everybody who sees it.
 * @param {string} nickname
 */
export function hue(nickname) {
  return `hue-${(seed(nickname) >>> 8) % HUES}`;
}

/** The first two letters of a nickname; the first and the digit of `anna2`, which stands beside `anna`. */
const INITIALS = /^(.)(?:.*(?=\d$)|)(.?).*$/;

/**
 * Make the sign of a nickname: two of its letters in a form and a colour. It is no text: nobody reads it
 * aloud, copies it or finds it.
 * @param {string} nickname
 */
export function avatar(nickname) {
  const made = element("span", `avatar ${hue(nickname)} form-${(seed(nickname) >>> 20) % FORMS}`);
  made.dataset.initials = nickname.replace(INITIALS, "$1$2");
  made.ariaHidden = "true";
  return made;
}

/**
 * Make the mark of a nickname that looks like another one, which it is not; null where there is none.
 * @param {string} nickname
 * @param {Likeness} likeness
 * @param {Texts} texts
 */
export function unlike(nickname, likeness, texts) {
  const other = likeness.other(nickname);
  if (other === null) return null;
  const made = element("span", "unlike", texts.say("people.unlike", { name: other }));
  made.title = texts.say("people.unlike_hint", { name: nickname, other });
  return made;
}

/** @param {string} nickname */
function seed(nickname) {
  let sum = 0x811c9dc5; // FNV-1a: names that differ in a letter look different
  for (const letter of fold(nickname)) {
    sum = Math.imul(sum ^ Number(letter.codePointAt(0)), 0x01000193);
  }
  return sum;
}

/**
 * What lines are drawn with: the words of the page, the reader's own name, and names that look the same.
 * `isModerated`: each message has a button, by which it can be withdrawn.
 * @typedef {{ texts: Texts, reader: string, likeness: Likeness, isModerated?: boolean }} Manner
 */

/**
 * Return what a line says, as it is copied.
 * @param {Numbered<Line>} line
 * @param {Manner} manner
 */
export function wordsOf(line, manner) {
  return drawLine(line, manner).textContent.trim();
}

/**
 * Make the element of a line of the transcript.
 * @param {Numbered<Line>} line
 * @param {Manner} manner
 */
export function drawLine(line, manner) {
  const made = draw(line, manner);
  made.classList.add("line", line.kind);
  made.dataset.line = String(line.seq);
  return made;
}

/**
 * Make the element of a message that is on its way.
 * @param {Entry} entry
 * @param {Manner} manner
 */
export function drawPending(entry, manner) {
  const { to, text, at, state } = entry;
  const { texts, reader: nickname } = manner;
  const privacy = to === null ? null : privacyOf({ own: true, nickname, to }, texts);
  const remark = texts.say(state === "waiting" ? "log.waiting" : "log.underway");
  const made = message({ nickname, text, at, own: true }, { privacy, remark }, manner);
  made.classList.add("line", to === null ? "said" : "whispered", "is-pending");
  made.dataset.pending = String(entry.id);
  return made;
}

/**
 * @param {Line} line
 * @param {Manner} manner
 */
function draw(line, manner) {
  switch (line.kind) {
    case "said": {
      const made = message(line, {}, manner);
      if (manner.isModerated && !line.isRedacted) made.append(act(line, manner.texts));
      return made;
    }
    case "whispered":
      return drawWhispered(line, manner);
    case "failed":
      return drawFailed(line, manner);
    case "traffic":
      return drawTraffic(line, manner.texts);
    case "notice":
      return drawNotice(line, manner.texts);
    case "day":
      return element("p", "", element("span", "", manner.texts.day(line.at)));
  }
}

/**
 * @param {Whispered} line
 * @param {Manner} manner
 */
function drawWhispered(line, manner) {
  const { texts } = manner;
  const remark = fateOf(line, texts);
  const made = message(line, { privacy: privacyOf(line, texts), remark }, manner);
  made.classList.toggle("is-undelivered", line.state === "undelivered");
  return made;
}

/**
 * @param {Failed} line
 * @param {Manner} manner
 */
function drawFailed(line, manner) {
  const { own, nickname, to } = line;
  const { texts } = manner;
  const privacy = to === null ? null : privacyOf({ own, nickname, to }, texts);
  return message(line, { privacy, remark: failure(line, texts) }, manner);
}

/**
 * @param {Traffic} line
 * @param {Texts} texts
 */
function drawTraffic({ first, joined, left, returned, passed, at }, texts) {
  const came = passage("log.joined", joined, texts);
  const went = passage("log.left", left, texts);
  const passages = [
    ...(first === "joined" ? [came, went] : [went, came]),
    passage("log.returned", returned, texts),
    passage("log.passed", passed, texts),
  ];
  const told = passages.filter((it) => it !== null).join(" · ");
  return element("p", "", clock(at, texts), " ", element("span", "", told));
}

/**
 * @param {Notice} line
 * @param {Texts} texts
 */
function drawNotice({ key, values, grave, at }, texts) {
  const by = values.by === SERVER ? texts.say("notice.operator") : (values.by ?? null);
  const made = element(
    "p",
    "",
    clock(at, texts),
    " ",
    element("span", "", texts.sayOr(key, { ...values, by })),
  );
  made.classList.toggle("is-grave", grave);
  return made;
}

/**
 * @param {Omit<Said, "kind">} line
 * @param {{ privacy?: string | null, remark?: string | null }} remarks
 * @param {Manner} manner
 */
function message(line, { privacy = null, remark = null }, { texts, reader, likeness }) {
  const { nickname, at, own, continues = false, isNamed = false, isPast = false } = line;
  const mark = own ? null : unlike(nickname, likeness, texts);
  const made = element(
    "div",
    "message",
    clock(at, texts),
    " ",
    element(
      "div",
      "who",
      own || continues ? null : avatar(nickname),
      own ? element("span", "name", nickname) : name(nickname),
      ...(mark === null ? [] : [" (", mark, ")"]),
      ...(privacy === null ? [] : [" (", element("span", "privacy", privacy), ")"]),
      ...(isPast ? [element("span", "unseen", ` (${texts.say("log.past")})`)] : []),
      element("span", "unseen", ": "),
    ),
    element("div", "bubble", wordsIn(line, own ? "" : reader, texts)),
    ...(remark === null ? [] : [" ", element("div", "remark", remark)]),
  );
  made.classList.toggle("is-own", own);
  made.classList.toggle("is-private", privacy !== null);
  made.classList.toggle("is-named", isNamed);
  made.classList.toggle("is-past", isPast);
  made.classList.toggle("continues", continues);
  return made;
}

/**
 * A name that can be clicked. It is not on the way of the Tab key: there are thousands of them.
 * @param {string} nickname
 */
function name(nickname) {
  const made = element("button", `name ${hue(nickname)}`, nickname);
  made.type = "button";
  made.tabIndex = -1;
  made.dataset.nickname = nickname;
  return made;
}

/**
 * What a moderator opens to do something about a message. It has no text: it is not copied.
 * @param {{ nickname: string }} line
 * @param {Texts} texts
 */
function act({ nickname }, texts) {
  const made = element("button", "act");
  made.type = "button";
  made.tabIndex = -1;
  made.dataset.nickname = nickname;
  made.ariaLabel = made.title = texts.say("person.act", { name: nickname });
  return made;
}

/**
 * @param {{ text: string }} line
 * @param {string} reader
 */
function written({ text }, reader) {
  const made = element("span", "text", ...spansOf(text, reader).map(drawSpan));
  made.dir = "auto";
  return made;
}

/** @param {Span} span */
function drawSpan(span) {
  switch (span.kind) {
    case "words":
      return span.text;
    case "code":
      return element("code", "", span.text);
    case "block":
      return element("code", "lines", span.text);
    case "name":
      return element("mark", "", span.text);
    case "link": {
      const made = element("a", "", span.text);
      made.href = span.href;
      made.target = "_blank";
      made.rel = "noopener noreferrer nofollow";
      made.dir = "ltr";
      return made;
    }
  }
}

/**
 * @param {{ text: string, isRedacted?: boolean }} line
 * @param {string} reader
 * @param {Texts} texts
 */
function wordsIn(line, reader, texts) {
  if (line.isRedacted) return element("span", "text is-redacted", texts.say("log.redacted"));
  if (!isVisible(line.text)) return element("span", "text is-blank", texts.say("log.blank"));
  return written(line, reader);
}

/**
 * @param {{ own: boolean, nickname: string, to: string }} line
 * @param {Texts} texts
 */
function privacyOf({ own, nickname, to }, texts) {
  if (!own) return texts.say("log.private");
  const isToSelf = fold(to) === fold(nickname);
  return isToSelf ? texts.say("log.private_to_you") : texts.say("log.private_to", { name: to });
}

/**
 * @param {Whispered} line
 * @param {Texts} texts
 */
function fateOf({ own, state, to }, texts) {
  if (!own || state === undefined || state === "sent") return null;
  return texts.say(`log.${state}`, { name: to });
}

/**
 * @param {Failed} line
 * @param {Texts} texts
 */
function failure({ reason, detail, until = 0, nickname, to }, texts) {
  if (reason === "unknown_recipient" && fold(to ?? "") === fold(nickname)) {
    return texts.say("failed.unknown_self");
  }
  return texts.sayOr(`failed.${reason}`, { reason, detail, until, name: to });
}

/**
 * @param {"log.joined" | "log.left" | "log.returned" | "log.passed"} key
 * @param {Passage | undefined} passage
 * @param {Texts} texts
 */
function passage(key, passage, texts) {
  if (passage === undefined || passage.count === 0) return null;
  const { names, count } = passage;
  return texts.say(key, { names: texts.names(names, count), count });
}

/**
 * @param {number} at
 * @param {Texts} texts
 */
function clock(at, texts) {
  const made = element("time", "", texts.time(at));
  made.dateTime = new Date(at).toISOString();
  return made;
}
