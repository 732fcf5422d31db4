/** A room: its log as it happens, who is there, what holds. */

import { element } from "../../web/document/element.js";
import { head } from "../parts/made.js";
import { Acts, titleOf } from "../room/acts.js";
import { RoomLog } from "../room/log.js";
import { RoomPeople } from "../room/people.js";
import { RoomRules } from "../room/rules.js";

/** @import { Means, View } from "./view.js" */

/** Events that change who is there. */
const OF_PEOPLE = new Set(["joined", "left", "kicked", "kick", "account"]);

/**
 * @param {Means} means
 * @param {string} room
 * @returns {View}
 */
export function roomView(means, room) {
  const acts = new Acts(means);
  const title = titleOf(room, means.texts);
  const rules = new RoomRules({ means, acts, room, onMutes: (mutes) => people.mark(mutes) });
  /** @param {string} type */
  const onEvent = (type) => (OF_PEOPLE.has(type) ? people.live : rules).soon();
  const people = new RoomPeople({
    means,
    acts,
    room,
    onActed: () => {
      people.live.soon();
      rules.soon();
    },
  });
  const log = new RoomLog({ means, acts, room, onEvent });
  return {
    title,
    element: element(
      "div",
      "view room-view",
      head(title),
      log.element,
      element("div", "beside", people.element, ...rules.elements),
    ),
    open() {
      log.open();
      people.live.open();
      rules.open();
    },
    close() {
      log.close();
      people.live.close();
      rules.close();
    },
  };
}
