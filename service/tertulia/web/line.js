/** How one line of the log looks. Whatever somebody wrote goes in as text, never as markup. */

import { fold } from "./frames.js";

/** Colours that names can have; the style sheet has as many. */
const HUES = 12;

/** Make an element with a class and what is in it: text, elements, or nothing. */
export function element(tag, className, ...content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content.filter((it) => it !== null));
  return made;
}

/** Return the class of a nickname's colour: the same for everybody who sees it. */
export function hue(nickname) {
  let sum = 0x811c9dc5; // FNV-1a: names that differ in a letter look different
  for (const letter of fold(nickname)) {
    sum = Math.imul(sum ^ letter.codePointAt(0), 0x01000193);
  }
  return `hue-${(sum >>> 8) % HUES}`;
}

/** Make the element of a line of the transcript. */
export function drawLine(line, texts) {
  const made = DRAWN[line.kind](line, texts);
  made.classList.add("line", line.kind);
  made.dataset.line = line.seq;
  return made;
}

/** Make the element of a message that is on its way. */
export function drawPending(entry, nickname, texts) {
  const { to, text, at, state } = entry;
  const privacy = to === null ? null : privacyOf({ own: true, nickname, to }, texts);
  const said = texts.say(state === "waiting" ? "log.waiting" : "log.underway");
  const made = message({ nickname, text, at, own: true }, privacy, [said], texts);
  made.classList.add("line", to === null ? "said" : "whispered", "is-pending");
  made.dataset.pending = entry.id;
  return made;
}

const DRAWN = {
  said: (line, texts) => message(line, null, [], texts),
  whispered: (line, texts) => {
    const made = message(line, privacyOf(line, texts), [fateOf(line, texts)], texts);
    made.classList.toggle("is-undelivered", line.state === "undelivered");
    return made;
  },
  failed: (line, texts) => {
    const privacy = line.to === null ? null : privacyOf(line, texts);
    return message(line, privacy, [failure(line, texts)], texts);
  },
  traffic: (line, texts) => {
    const ways = line.first === "joined" ? ["joined", "left"] : ["left", "joined"];
    const passages = ways
      .filter((way) => line[way].count > 0)
      .map((way) => passage(`log.${way}`, line[way], texts));
    return element("p", "", element("span", "", passages.join(" · ")), " ", clock(line.at, texts));
  },
  notice: ({ key, values, grave, at }, texts) => {
    const made = element("p", "", element("span", "", texts.say(key, values)), " ", clock(at, texts));
    made.classList.toggle("is-grave", grave);
    return made;
  },
  day: ({ at }, texts) => element("p", "", element("span", "", texts.day(at))),
};

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

function privacyOf({ own, nickname, to }, texts) {
  if (!own) return texts.say("log.private");
  const isToSelf = fold(to) === fold(nickname);
  return isToSelf ? texts.say("log.private_to_you") : texts.say("log.private_to", { name: to });
}

function fateOf({ own, state, to }, texts) {
  if (!own || state === "sent") return null;
  return texts.say(`log.${state}`, { name: to });
}

function failure({ reason, detail, nickname, to }, texts) {
  if (reason === "unknown_recipient" && fold(to ?? "") === fold(nickname)) {
    return texts.say("failed.unknown_self");
  }
  return texts.sayOr(`failed.${reason}`, { reason, detail, name: to });
}

function passage(key, { names, count }, texts) {
  return texts.say(key, { names: texts.names(names, count), count });
}

function clock(at, texts) {
  const made = element("time", "", texts.time(at));
  made.dateTime = new Date(at).toISOString();
  return made;
}
