/** Who is kept out of the chat. */

import { element } from "../../web/document/element.js";
import { Live } from "../parts/live.js";
import { button, head, moment, written } from "../parts/made.js";
import { Table } from "../parts/table.js";
import { Acts } from "../room/acts.js";
import { itemsOf } from "../room/people.js";
import { pathOf } from "../service/api.js";

/**
 * @import { Ban } from "../service/bodies.js"
 * @import { Means, View } from "./view.js"
 */

/** Milliseconds between two looks. */
const EVERY = 15_000;

/**
 * @param {Means} means
 * @returns {View}
 */
export function bansView(means) {
  const { api, asking, news, texts } = means;
  const title = texts.say("bans.title");
  const acts = new Acts(means);
  /** @param {Ban} ban */
  const lift = async ({ kind, subject }) => {
    const isSure = await asking.ask({
      title: texts.say("bans.lift_whom", { name: subject }),
      text: texts.say("bans.lift_text", { name: subject }),
      confirm: texts.say("bans.lift"),
    });
    if (!isSure) return;
    await news.of(
      () => api.act("DELETE", pathOf("bans", kind, subject)),
      () => texts.say("bans.lifted", { name: subject }),
    );
    live.soon();
  };
  const table = new Table({
    label: title,
    empty: texts.say("bans.none"),
    keyOf: (/** @type {Ban} */ it) => `${it.kind} ${it.subject}`,
    columns: [
      { label: texts.say("ban.subject"), cell: (it) => element("bdi", "", it.subject) },
      {
        label: texts.say("ban.kind"),
        cell: (it) => texts.sayOr(`ban.${it.kind}`, { kind: it.kind }),
      },
      {
        label: texts.say("field.until"),
        cell: (it) => moment(it.until, texts) ?? texts.say("span.never"),
      },
      { label: texts.say("field.reason"), cell: (it) => written(it.reason) },
      { label: texts.say("audit.who"), cell: (it) => element("bdi", "", it.by ?? "") },
      {
        label: texts.say("table.acts"),
        className: "acts",
        isFixed: true,
        cell: (it) =>
          button(texts.say("bans.lift"), () => void lift(it), {
            label: texts.say("bans.lift_whom", { name: it.subject }),
          }),
      },
    ],
  });
  const live = new Live({
    texts,
    every: EVERY,
    ask: () => api.get("bans"),
    show: (answer) => table.show(itemsOf(answer)),
  });
  const add = button(texts.say("ban.new"), async () => {
    if (await acts.ban({})) live.soon();
  });
  return {
    title,
    element: element("div", "view", head(title, add), live.element, table.element),
    open: () => live.open(),
    close: () => live.close(),
  };
}
