/** The webhooks: how far behind each is, and what it could not deliver. */

import { element } from "../../web/document/element.js";
import { Live } from "../parts/live.js";
import { head } from "../parts/made.js";
import { Table } from "../parts/table.js";
import { titleOf } from "../room/acts.js";
import { itemsOf } from "../room/people.js";

/**
 * @import { Webhook } from "../service/bodies.js"
 * @import { Means, View } from "./view.js"
 */

/**
 * @param {Means} means
 * @returns {View}
 */
export function webhooksView({ api, texts }) {
  const title = texts.say("webhooks.title");
  /** @type {(label: string, of: (it: Webhook) => number) => import("../parts/table.js").Column<Webhook>} */
  const number = (label, of) => ({
    label,
    className: "number",
    cell: (it) => texts.say("value.number", { count: of(it) }),
  });
  const table = new Table({
    label: title,
    empty: texts.say("webhooks.none"),
    keyOf: (/** @type {Webhook} */ it) => `${it.name} ${it.room}`,
    columns: [
      { label: texts.say("webhooks.name"), cell: (it) => element("bdi", "", it.name) },
      {
        label: texts.say("webhooks.room"),
        cell: (it) => element("bdi", "", titleOf(it.room, texts)),
      },
      {
        label: texts.say("webhooks.state"),
        cell: ({ is_disabled, relay }) => {
          if (is_disabled) return element("span", "tag is-unwell", texts.say("webhooks.disabled"));
          return relay === null
            ? element("span", "tag is-unwell", texts.say("webhooks.not_relayed"))
            : texts.say("webhooks.relayed", { name: relay });
        },
      },
      {
        label: texts.say("webhooks.behind"),
        className: "number",
        cell: (it) => texts.say("rules.seconds", { count: Math.round(it.behind) }),
      },
      number(texts.say("webhooks.failures"), (it) => it.failures),
      number(texts.say("webhooks.dead"), (it) => it.dead),
      {
        label: texts.say("webhooks.position"),
        cell: (it) => element("code", "", it.position ?? ""),
      },
    ],
  });
  const live = new Live({
    texts,
    ask: () => api.get("webhooks"),
    show: (answer) => table.show(itemsOf(answer)),
  });
  return {
    title,
    element: element("div", "view", head(title), live.element, table.element),
    open: () => live.open(),
    close: () => live.close(),
  };
}
