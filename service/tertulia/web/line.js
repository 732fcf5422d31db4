/** How one line of the log looks. Whatever somebody wrote goes in as text, never as markup. */

import { fold } from "./frames.js";

/**
 * @import { Entry } from "./outbox.js"
 * @import { Texts } from "./texts.js"
 * @import { Failed, Line, Notice, Numbered, Passage, Said, Traffic, Whispered } from "./transcript.js"
 */

/** Colours that names can have; the style sheet has as many. */
const HUES = 12;

/**
 * Make an element with a class and what is in it: text, elements, or nothing.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} className
 * @param {...(Node | string | null)} content
 */
export function element(tag, className, ...content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content.filter((it) => it !== null));
  return made;
}

/**
 * Return the class of a nickname's colour: the same for everybody who sees it.
 * @param {string} nickname
 */
export function hue(nickname) {
  let sum = 0x811c9dc5; // FNV-1a: names that differ in a letter look different
  for (const letter of fold(nickname)) {
    sum = Math.imul(sum ^ Number(letter.codePointAt(0)), 0x01000193);
  }
  return `hue-${(sum >>> 8) % HUES}`;
}

/**
 * Make the element of a line of the transcript.
 * @param {Numbered<Line>} line
 * @param {Texts} texts
 */
export function drawLine(line, texts) {
  const made = draw(line, texts);
  made.classList.add("line", line.kind);
  made.dataset.line = String(line.seq);
  return made;
}

/**
 * Make the element of a message that is on its way.
 * @param {Entry} entry
 * @param {string} nickname
 * @param {Texts} texts
 */
export function drawPending(entry, nickname, texts) {
  const { to, text, at, state } = entry;
  const privacy = to === null ? null : privacyOf({ own: true, nickname, to }, texts);
  const said = texts.say(state === "waiting" ? "log.waiting" : "log.underway");
  const made = message({ nickname, text, at, own: true }, privacy, [said], texts);
  made.classList.add("line", to === null ? "said" : "whispered", "is-pending");
  made.dataset.pending = String(entry.id);
  return made;
}

/**
 * @param {Line} line
 * @param {Texts} texts
 */
function draw(line, texts) {
  switch (line.kind) {
    case "said":
      return message(line, null, [], texts);
    case "whispered":
      return drawWhispered(line, texts);
    case "failed":
      return drawFailed(line, texts);
    case "traffic":
      return drawTraffic(line, texts);
    case "notice":
      return drawNotice(line, texts);
    case "day":
      return element("p", "", element("span", "", texts.day(line.at)));
  }
}

/**
 * @param {Whispered} line
 * @param {Texts} texts
 */
function drawWhispered(line, texts) {
  const made = message(line, privacyOf(line, texts), [fateOf(line, texts)], texts);
  made.classList.toggle("is-undelivered", line.state === "undelivered");
  return made;
}

/**
 * @param {Failed} line
 * @param {Texts} texts
 */
function drawFailed(line, texts) {
  const { own, nickname, to } = line;
  const privacy = to === null ? null : privacyOf({ own, nickname, to }, texts);
  return message(line, privacy, [failure(line, texts)], texts);
}

/**
 * @param {Traffic} line
 * @param {Texts} texts
 */
function drawTraffic({ first, joined, left, at }, texts) {
  const came = joined.count > 0 ? passage("log.joined", joined, texts) : null;
  const went = left.count > 0 ? passage("log.left", left, texts) : null;
  const passages = first === "joined" ? [came, went] : [went, came];
  const told = passages.filter((it) => it !== null).join(" · ");
  return element("p", "", element("span", "", told), " ", clock(at, texts));
}

/**
 * @param {Notice} line
 * @param {Texts} texts
 */
function drawNotice({ key, values, grave, at }, texts) {
  const made = element("p", "", element("span", "", texts.say(key, values)), " ", clock(at, texts));
  made.classList.toggle("is-grave", grave);
  return made;
}

/**
 * @param {Omit<Said, "kind">} line
 * @param {string | null} privacy
 * @param {(string | null)[]} remarks
 * @param {Texts} texts
 */
function message({ nickname, text, at, own, continues = false }, privacy, remarks, texts) {
  const name = element("span", `name ${hue(nickname)}`, own ? texts.say("log.you") : nickname);
  const body = element("span", "text", text);
  body.dir = "auto";
  const made = element(
    "div",
    "message",
    element("div", "who", name, privacy && element("span", "privacy", privacy)),
    element("div", "bubble", body, " ", clock(at, texts)),
    ...remarks.map((remark) => remark && element("div", "remark", remark)),
  );
  made.classList.toggle("is-own", own);
  made.classList.toggle("is-private", privacy !== null);
  made.classList.toggle("continues", continues);
  return made;
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
function failure({ reason, detail, nickname, to }, texts) {
  if (reason === "unknown_recipient" && fold(to ?? "") === fold(nickname)) {
    return texts.say("failed.unknown_self");
  }
  return texts.sayOr(`failed.${reason}`, { reason, detail, name: to });
}

/**
 * @param {"log.joined" | "log.left"} key
 * @param {Passage} passage
 * @param {Texts} texts
 */
function passage(key, { names, count }, texts) {
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
