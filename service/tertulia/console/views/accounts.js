/** The accounts of the chat, and invitations to make one. */

import { element } from "../../web/document/element.js";
import { Live } from "../parts/live.js";
import { button, head, moment } from "../parts/made.js";
import { Table } from "../parts/table.js";
import { itemsOf } from "../room/people.js";
import { Problem, pathOf } from "../service/api.js";

/**
 * @import { Account } from "../service/bodies.js"
 * @import { Means, View } from "./view.js"
 */

/** Milliseconds between two looks: there may be many. */
const EVERY = 30_000;
/** Accounts that are shown at first, and at most; others are found by typing. */
const SHOWN = 100;
const MOST = 1_000;
/** Letters of a password. */
const PASSWORD = { least: 3, most: 1000 };

/**
 * @param {Means} means
 * @returns {View}
 */
export function accountsView({ api, asking, filling, news, texts }) {
  const title = texts.say("accounts.title");
  let limit = SHOWN;
  const password = /** @type {const} */ ({
    kind: "password",
    label: texts.say("accounts.password"),
    hint: texts.say("accounts.password_hint"),
    isRequired: true,
    ...PASSWORD,
  });

  const make = async () => {
    const given = await filling.ask({
      title: texts.say("accounts.new"),
      text: texts.say("accounts.new_text"),
      fields: {
        name: {
          kind: "text",
          label: texts.say("people.name"),
          isRequired: true,
          most: 32,
          pattern: "[A-Za-z0-9._+\\-]+",
          hint: texts.say("accounts.name_hint"),
        },
        password,
      },
      confirm: texts.say("accounts.make"),
    });
    if (given === null) return;
    const { name } = given;
    await news.of(
      () => api.act("PUT", pathOf("accounts", name), { password: given.password }),
      () => texts.say("accounts.made", { name }),
    );
    live.soon();
  };

  /** @param {string} name */
  const change = async (name) => {
    const given = await filling.ask({
      title: texts.say("accounts.password_of", { name }),
      text: texts.say("accounts.password_text", { name }),
      fields: { password },
      confirm: texts.say("accounts.password_set"),
    });
    if (given === null) return;
    await news.of(
      () => api.act("PUT", pathOf("accounts", name, "password"), { password: given.password }),
      () => texts.say("accounts.password_done", { name }),
    );
    live.soon();
  };

  /** @param {string} name */
  const remove = async (name) => {
    const isSure = await asking.ask({
      title: texts.say("accounts.delete_whom", { name }),
      text: texts.say("accounts.delete_text", { name }),
      confirm: texts.say("accounts.delete"),
      isGrave: true,
    });
    if (!isSure) return;
    await news.of(
      () => api.act("DELETE", pathOf("accounts", name)),
      () => texts.say("accounts.deleted", { name }),
    );
    live.soon();
  };

  const invite = async () => {
    const made = await news.of(
      () => api.act("POST", "invitations", {}),
      () => texts.say("accounts.invited"),
    );
    if (made === undefined) return;
    const [invitation] = itemsOf(made);
    const code = element("output", "code", String(invitation?.code ?? ""));
    const choice = await asking.choose({
      title: texts.say("accounts.invitation"),
      text: texts.say("accounts.invitation_text"),
      field: element("p", "", code),
      choices: { copy: texts.say("accounts.copy") },
      cancel: texts.say("ask.done"),
    });
    if (choice !== "copy") return;
    try {
      await navigator.clipboard.writeText(code.textContent ?? "");
      news.tell(texts.say("accounts.copied"));
    } catch {
      news.complain(texts.say("accounts.not_copied", { code: code.textContent }));
    }
  };

  const table = new Table({
    label: title,
    empty: texts.say("accounts.none"),
    keyOf: (/** @type {Account} */ it) => it.nickname,
    columns: [
      { label: texts.say("people.name"), cell: (it) => element("bdi", "", it.nickname) },
      { label: texts.say("accounts.since"), cell: (it) => moment(it.since, texts) },
      { label: texts.say("accounts.used"), cell: (it) => moment(it.used, texts) },
      {
        label: texts.say("accounts.is_here"),
        cell: (it) => texts.say(it.is_logged_in ? "value.yes" : "value.no"),
      },
      {
        label: texts.say("accounts.pending"),
        className: "number",
        cell: (it) => texts.say("value.number", { count: it.pending ?? 0 }),
      },
      {
        label: texts.say("table.acts"),
        className: "acts",
        isFixed: true,
        cell: ({ nickname }) =>
          element(
            "span",
            "buttons",
            button(texts.say("accounts.password_act"), () => void change(nickname), {
              label: texts.say("accounts.password_of", { name: nickname }),
            }),
            button(texts.say("accounts.delete"), () => void remove(nickname), {
              label: texts.say("accounts.delete_whom", { name: nickname }),
              className: "quiet danger",
            }),
          ),
      },
    ],
  });
  const find = element("input", "find");
  find.type = "search";
  find.autocomplete = "off";
  find.ariaLabel = find.placeholder = texts.say("accounts.find");
  const more = button(texts.say("accounts.more"), () => {
    limit += SHOWN;
    live.soon();
  });
  more.hidden = true;
  find.addEventListener("input", () => {
    limit = SHOWN;
    live.soon();
  });
  const live = new Live({
    texts,
    every: EVERY,
    ask: () => found(find.value.trim().toLowerCase()),
    show: ({ items, next }) => {
      table.show(items);
      more.hidden = next === null || limit >= MOST;
    },
  });

  /**
   * Return the first accounts, or of those whose name begins so.
   * @param {string} name
   * @returns {Promise<{ items: Account[], next: string | null }>}
   */
  const found = async (name) => {
    if (name === "") return api.get(`accounts?limit=${limit}`);
    const [itself, page] = await Promise.all([
      api.get(pathOf("accounts", name)).catch((error) => {
        // None of that name, or it can't be one: the rest decides.
        if (error instanceof Problem && (error.status === 404 || error.status === 422)) return null;
        throw error;
      }),
      api.get(`accounts?limit=${limit}&after=${encodeURIComponent(name)}`),
    ]);
    /** @type {Account[]} */
    const all = [itself, ...page.items].filter((it) => it?.nickname.toLowerCase().startsWith(name));
    return { items: all, next: all.at(-1) === page.items.at(-1) ? page.next : null };
  };

  return {
    title,
    element: element(
      "div",
      "view",
      head(
        title,
        find,
        button(texts.say("accounts.new"), () => void make()),
        button(texts.say("accounts.invite"), () => void invite()),
      ),
      live.element,
      table.element,
      more,
    ),
    open: () => live.open(),
    close: () => live.close(),
  };
}
