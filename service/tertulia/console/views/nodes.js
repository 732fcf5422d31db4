/** The nodes of the service: how each is, and draining one. */

import { element } from "../../web/document/element.js";
import { Live } from "../parts/live.js";
import { button, head } from "../parts/made.js";
import { Table } from "../parts/table.js";
import { itemsOf } from "../room/people.js";
import { pathOf } from "../service/api.js";

/**
 * @import { NodeItem } from "../service/bodies.js"
 * @import { Means, View } from "./view.js"
 */

/**
 * @param {Means} means
 * @returns {View}
 */
export function nodesView({ api, asking, news, texts }) {
  const title = texts.say("nodes.title");
  /** @param {NodeItem} node */
  const drain = async ({ node, sessions }) => {
    const isSure = await asking.ask({
      title: texts.say("nodes.drain_which", { name: node }),
      text: texts.say("nodes.drain_text", { count: sessions }),
      confirm: texts.say("nodes.drain"),
      isGrave: true,
    });
    if (!isSure) return;
    await news.of(
      () => api.act("POST", pathOf("nodes", node, "drain")),
      () => texts.say("nodes.drained", { name: node }),
    );
    live.soon();
  };
  const table = new Table({
    label: title,
    empty: texts.say("nodes.none"),
    keyOf: (/** @type {NodeItem} */ it) => it.registration ?? it.node,
    columns: [
      { label: texts.say("nodes.name"), cell: (it) => element("bdi", "", it.node) },
      {
        label: texts.say("nodes.state"),
        cell: (it) => {
          const words = texts.sayOr(`node.${it.state}`, { state: it.state });
          return element("span", it.state === "up" ? "tag is-well" : "tag is-unwell", words);
        },
      },
      {
        label: texts.say("nodes.sessions"),
        className: "number",
        cell: (it) => texts.say("value.number", { count: it.sessions }),
      },
      {
        label: texts.say("nodes.lag"),
        className: "number",
        cell: (it) =>
          it.lag_seconds === null || it.lag_seconds === undefined
            ? ""
            : texts.say("value.milliseconds", { count: Math.round(it.lag_seconds * 1000) }),
      },
      { label: texts.say("nodes.version"), cell: (it) => it.version ?? "" },
      { label: texts.say("nodes.host"), cell: (it) => element("bdi", "", it.host ?? "") },
      {
        label: texts.say("table.acts"),
        className: "acts",
        isFixed: true,
        cell: (it, now) =>
          button(texts.say("nodes.drain"), () => void drain(now()), {
            label: texts.say("nodes.drain_which", { name: it.node }),
            className: "quiet danger",
          }),
      },
    ],
  });
  const live = new Live({
    texts,
    ask: () => api.get("nodes"),
    show: (answer) => table.show(itemsOf(answer)),
  });
  return {
    title,
    element: element("div", "view", head(title), live.element, table.element),
    open: () => live.open(),
    close: () => live.close(),
  };
}
