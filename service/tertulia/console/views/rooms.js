/** All rooms: how many are in each, how much is said there, what it is about. */

import { element } from "../../web/document/element.js";
import { Live } from "../parts/live.js";
import { head, written } from "../parts/made.js";
import { Table } from "../parts/table.js";
import { titleOf } from "../room/acts.js";
import { itemsOf } from "../room/people.js";
import { LOBBY } from "../service/bodies.js";

/**
 * @import { RoomItem } from "../service/bodies.js"
 * @import { Means, View } from "./view.js"
 */

/** Rooms that are shown; others are found by typing. */
const SHOWN = 200;

/**
 * @param {Means} means
 * @returns {View}
 */
export function roomsView({ api, rights, texts }) {
  /** @type {RoomItem[]} */
  let all = [];
  const title = texts.say("rooms.title");
  /** @type {(count: number | null) => string} */
  const number = (count) => (count === null ? "" : texts.say("value.number", { count }));
  const table = new Table({
    label: title,
    empty: texts.say("rooms.none"),
    keyOf: (/** @type {RoomItem} */ it) => it.name,
    columns: [
      {
        label: texts.say("rooms.name"),
        cell: (it) => {
          const link = element("a", "", element("bdi", "", titleOf(it.name, texts)));
          link.href = `#/rooms/${encodeURIComponent(it.name)}`;
          const tag = element("span", "tag", texts.say("rooms.lasting"));
          return element(
            "span",
            "",
            link,
            ...(it.is_lasting && it.name !== LOBBY ? [" ", tag] : []),
          );
        },
      },
      {
        label: texts.say("rooms.members"),
        className: "number",
        cell: (it) => number(it.members),
      },
      {
        label: texts.say("rooms.messages"),
        className: "number",
        cell: (it) => number(it.messages),
      },
      {
        label: texts.say("rooms.topic"),
        cell: (it) => {
          if (it.error) return texts.say("rooms.unread", { error: it.error });
          return it.topic ? written(it.topic, "clipped") : "";
        },
      },
      ...(rights.operates
        ? [
            {
              label: texts.say("rooms.size"),
              className: "number",
              cell: (/** @type {RoomItem} */ it) =>
                it.bytes === null
                  ? ""
                  : texts.say("value.kilobytes", { count: Math.round(it.bytes / 1000) }),
            },
            {
              label: texts.say("rooms.shard"),
              className: "number",
              cell: (/** @type {RoomItem} */ it) => it.shard ?? "",
            },
          ]
        : []),
    ],
  });
  const more = element("p", "hint");
  more.role = "status";
  const find = element("input", "find");
  find.type = "search";
  find.autocomplete = "off";
  find.ariaLabel = find.placeholder = texts.say("rooms.find");
  const draw = () => {
    const wanted = find.value.trim().toLowerCase().replace(/^#/, "");
    const found = all.filter((it) =>
      `${it.name}\n${titleOf(it.name, texts)}\n${it.topic ?? ""}`.toLowerCase().includes(wanted),
    );
    table.show(found.slice(0, SHOWN));
    const count = found.length - SHOWN;
    more.textContent = count > 0 ? texts.say("rooms.more", { count }) : "";
  };
  find.addEventListener("input", draw);
  const live = new Live({
    texts,
    ask: () => api.get("rooms"),
    show: (answer) => {
      all = itemsOf(answer);
      draw();
    },
  });
  return {
    title,
    element: element("div", "view", head(title, find), live.element, table.element, more),
    open: () => live.open(),
    close: () => live.close(),
  };
}
