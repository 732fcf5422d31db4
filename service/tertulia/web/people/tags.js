/** What is said beside a name, wherever people are listed. */

import { element } from "../document/element.js";
import { fold } from "../session/frames.js";

/**
 * @import { Chat } from "../chat/chat.js"
 * @import { Texts } from "../texts/texts.js"
 */

/**
 * Make the tags of a name: oneself, the administrator, the room's owner, a moderator, who is muted.
 * @param {string} name
 * @param {Chat} chat
 * @param {Texts} texts
 */
export function tags(name, chat, texts) {
  const { rules } = chat.shown;
  const isOwn = chat.isOwn(name);
  const isFirst = chat.isAdministrator ? isOwn : fold(name) === fold(chat.lobby.roster.oldest);
  const isOwner = fold(name) === fold(rules.owner);
  return [
    isOwn ? texts.say("people.you") : "",
    isFirst ? texts.say("people.administrator") : "",
    isOwner ? texts.say("people.owner") : "",
    rules.moderates(name) && !isOwner ? texts.say("people.moderator") : "",
    rules.isMuted(name, Date.now()) ? texts.say("people.muted") : "",
  ]
    .filter((it) => it !== "")
    .map((it) => element("span", "tag", it));
}
