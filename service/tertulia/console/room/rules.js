/** What holds in a room: its settings, who is muted until when, who looks after it, and what was done there. */

import { element } from "../../web/document/element.js";
import { Live } from "../parts/live.js";
import { button, moment, section, written } from "../parts/made.js";
import { Table } from "../parts/table.js";
import { pathOf } from "../service/api.js";
import { titleOf } from "./acts.js";
import { itemsOf } from "./people.js";

/**
 * @import { Audited, Mute, RoomBody } from "../service/bodies.js"
 * @import { Means } from "../views/view.js"
 * @import { Acts } from "./acts.js"
 */

/** Letters of a topic. */
const TOPIC = 250;
/** Seconds between two messages at most. */
const SLOW = 3_600;
/** What was done, at most. */
const AUDITED = 50;
/** Milliseconds between two looks at what was done. */
const AUDIT_EVERY = 15_000;
/** Letters of an announcement. */
const ANNOUNCEMENT = 1_000;

export class RoomRules {
  #means;
  #room;
  #onMutes;
  /** @type {RoomBody | null} */
  #body = null;
  #list;
  #change;
  #mutes;
  #moderators;
  #audit;
  #live;
  #auditLive;
  /** The room's settings, and all below them. @type {HTMLElement[]} */
  elements;

  /**
   * `onMutes` is called with who is muted.
   * @param {{ means: Means, acts: Acts, room: string, onMutes: (mutes: Mute[]) => void }} options
   */
  constructor({ means, acts, room, onMutes }) {
    const { api, rights, texts } = means;
    this.#means = means;
    this.#room = room;
    this.#onMutes = onMutes;
    this.#list = element("dl", "facts");
    this.#change = button(texts.say("rules.change"), () => void this.#ask());
    const announce = button(texts.say("announce.act"), () => void this.#announce());
    this.#mutes = new Table({
      label: texts.say("mutes.title"),
      empty: texts.say("mutes.none"),
      keyOf: (/** @type {Mute} */ it) => it.nickname,
      columns: [
        { label: texts.say("people.name"), cell: (it) => element("bdi", "", it.nickname) },
        {
          label: texts.say("field.until"),
          cell: (it) => moment(it.until, texts) ?? texts.say("span.never"),
        },
        { label: texts.say("field.reason"), cell: (it) => written(it.reason) },
        {
          label: texts.say("table.acts"),
          className: "acts",
          isFixed: true,
          cell: ({ nickname }) =>
            button(
              texts.say("unmute.act"),
              async () => {
                await acts.unmute(room, nickname);
                this.soon();
              },
              { label: texts.say("unmute.act_whom", { name: nickname }) },
            ),
        },
      ],
    });
    this.#moderators = new Table({
      label: texts.say("moderators.title"),
      empty: texts.say("moderators.none"),
      keyOf: (/** @type {{ nickname: string, isOwner: boolean }} */ it) => it.nickname,
      columns: [
        {
          label: texts.say("people.name"),
          cell: (it) =>
            element(
              "span",
              "",
              element("bdi", "", it.nickname),
              ...(it.isOwner ? [" ", element("span", "tag", texts.say("moderators.owner"))] : []),
            ),
        },
        {
          label: texts.say("table.acts"),
          className: "acts",
          isFixed: true,
          cell: ({ nickname, isOwner }) =>
            rights.operates && !isOwner
              ? button(texts.say("moderators.dismiss"), () => void this.#dismiss(nickname), {
                  label: texts.say("moderators.dismiss_whom", { name: nickname }),
                })
              : null,
        },
      ],
    });
    this.#audit = new Table({
      label: texts.say("audit.title"),
      empty: texts.say("audit.none"),
      keyOf: (/** @type {Audited & { key: string }} */ it) => it.key,
      columns: [
        { label: texts.say("audit.when"), cell: (it) => moment(it.at, texts) },
        { label: texts.say("audit.who"), cell: (it) => element("bdi", "", it.by) },
        {
          label: texts.say("audit.what"),
          cell: (it) =>
            element(
              "span",
              "",
              element("code", "", it.action),
              " ",
              written(it.subject ?? ""),
              " ",
              written([it.text, it.value].filter((one) => one || one === 0).join(" · ")),
            ),
        },
      ],
    });
    this.#live = new Live({
      texts,
      ask: () => api.get(pathOf("rooms", room)),
      show: (/** @type {RoomBody} */ answer) => this.#show(answer),
    });
    this.#auditLive = new Live({
      texts,
      every: AUDIT_EVERY,
      ask: () => api.get(`${pathOf("rooms", room, "audit")}?limit=${AUDITED}`),
      show: (answer) => this.#showAudit(itemsOf(answer)),
    });
    const isModerating = rights.moderates;
    const appoint = button(texts.say("moderators.appoint"), () => void this.#appoint());
    appoint.hidden = !rights.operates;
    this.elements = [
      section(
        "rules",
        texts.say("rules.title"),
        this.#live.element,
        this.#list,
        ...(isModerating ? [element("p", "buttons", this.#change, announce)] : []),
      ),
      ...(isModerating ? [section("mutes", texts.say("mutes.title"), this.#mutes.element)] : []),
      section("moderators", texts.say("moderators.title"), this.#moderators.element, appoint),
      ...(isModerating
        ? [section("audit", texts.say("audit.title"), this.#auditLive.element, this.#audit.element)]
        : []),
    ];
    this.#change.disabled = true; // until it is known what there is to change
  }

  open() {
    this.#live.open();
    if (this.#means.rights.moderates) this.#auditLive.open();
  }

  close() {
    this.#live.close();
    this.#auditLive.close();
  }

  /** Look again: something was done. */
  soon() {
    this.#live.soon();
    this.#auditLive.soon();
  }

  /** @param {RoomBody} body */
  #show(body) {
    const { texts } = this.#means;
    this.#body = body;
    this.#change.disabled = false;
    const seconds = body.slow_seconds ?? 0;
    /** @type {(isSo: boolean | undefined) => string} */
    const yesNo = (isSo) => texts.say(isSo ? "value.yes" : "value.no");
    const facts = [
      ["rules.topic", body.topic ? written(body.topic) : texts.say("rules.no_topic")],
      ["rules.slow", seconds ? texts.say("rules.seconds", { count: seconds }) : yesNo(false)],
      ["rules.accounts_only", yesNo(body.accounts_only)],
      ...(this.#isFurther
        ? [
            ["rules.outsiders", yesNo(body.outsiders)],
            ["rules.lasting", yesNo(body.is_lasting)],
          ]
        : []),
    ];
    const told = JSON.stringify(facts.map(([, it]) => (it instanceof Node ? it.textContent : it)));
    if (this.#list.dataset.told !== told) {
      this.#list.dataset.told = told;
      this.#list.replaceChildren(
        ...facts.map(([key, it]) =>
          element(
            "div",
            "",
            element("dt", "", texts.say(/** @type {any} */ (key))),
            element("dd", "", it ?? ""),
          ),
        ),
      );
    }
    const mutes = body.mutes ?? [];
    this.#mutes.show(mutes);
    this.#onMutes(mutes);
    const owner = body.owner ?? null;
    const others = (body.moderators ?? []).filter((it) => it !== owner);
    this.#moderators.show([
      ...(owner === null ? [] : [{ nickname: owner, isOwner: true }]),
      ...others.map((nickname) => ({ nickname, isOwner: false })),
    ]);
  }

  /** @param {Audited[]} items */
  #showAudit(items) {
    const newest = [...items].sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
    this.#audit.show(newest.map((it, at) => ({ ...it, key: `${it.at} ${newest.length - at}` })));
  }

  get #isFurther() {
    return this.#room !== "lobby";
  }

  async #ask() {
    const { api, filling, news, rights, texts } = this.#means;
    const body = this.#body;
    if (body === null) return;
    const isOperated = rights.operates && this.#isFurther;
    const check = /** @type {const} */ ("check");
    const given = await filling.ask({
      title: texts.say("rules.change_of", { room: titleOf(this.#room, texts) }),
      text: "",
      fields: {
        topic: {
          kind: "text",
          label: texts.say("rules.topic"),
          value: body.topic ?? "",
          most: TOPIC,
        },
        slow: {
          kind: "number",
          label: texts.say("rules.slow"),
          hint: texts.say("rules.slow_hint"),
          value: body.slow_seconds ?? 0,
          most: SLOW,
          isRequired: true,
        },
        accounts_only: {
          kind: check,
          label: texts.say("rules.accounts_only"),
          value: body.accounts_only === true,
        },
        ...(isOperated
          ? {
              outsiders: {
                kind: check,
                label: texts.say("rules.outsiders"),
                value: body.outsiders === true,
              },
              lasting: {
                kind: check,
                label: texts.say("rules.lasting"),
                value: body.is_lasting === true,
              },
            }
          : {}),
      },
      confirm: texts.say("rules.save"),
    });
    if (given === null) return;
    /** @type {(step: string, body: object) => Promise<void>} */
    const put = (step, it) => api.act("PUT", pathOf("rooms", this.#room, step), it);
    await news.of(
      async () => {
        // Only what was changed: somebody else may have changed the rest meanwhile.
        if (given.topic !== (body.topic ?? "")) await put("topic", { text: given.topic });
        const seconds = Number(given.slow);
        if (seconds !== (body.slow_seconds ?? 0)) await put("slow", { seconds });
        const on = given.accounts_only === "on";
        if (on !== (body.accounts_only === true)) await put("accounts-only", { on });
        if (!isOperated) return;
        const { outsiders, lasting } = /** @type {Record<string, string>} */ (given);
        const isOpen = outsiders === "on";
        if (isOpen !== (body.outsiders === true)) await put("outsiders", { on: isOpen });
        const stays = lasting === "on";
        if (stays !== (body.is_lasting === true)) await put("lasting", { on: stays });
      },
      () => texts.say("rules.done", { room: titleOf(this.#room, texts) }),
    );
    this.soon();
  }

  async #announce() {
    const { api, filling, news, texts } = this.#means;
    const room = titleOf(this.#room, texts);
    const given = await filling.ask({
      title: texts.say("announce.title", { room }),
      text: texts.say("announce.text"),
      fields: {
        text: {
          kind: "lines",
          label: texts.say("announce.words"),
          isRequired: true,
          most: ANNOUNCEMENT,
        },
      },
      confirm: texts.say("announce.do"),
    });
    if (given === null) return;
    await news.of(
      () => api.act("POST", pathOf("rooms", this.#room, "announcements"), { text: given.text }),
      () => texts.say("announce.done", { room }),
    );
    this.soon();
  }

  async #appoint() {
    const { api, filling, news, texts } = this.#means;
    const room = titleOf(this.#room, texts);
    const given = await filling.ask({
      title: texts.say("moderators.appoint_in", { room }),
      text: texts.say("moderators.appoint_text"),
      fields: {
        name: { kind: "text", label: texts.say("people.name"), isRequired: true, most: 32 },
      },
      confirm: texts.say("moderators.appoint_do"),
    });
    if (given === null) return;
    await news.of(
      () => api.act("PUT", pathOf("rooms", this.#room, "moderators", given.name)),
      () => texts.say("moderators.appointed", { name: given.name, room }),
    );
    this.soon();
  }

  /** @param {string} nickname */
  async #dismiss(nickname) {
    const { api, asking, news, texts } = this.#means;
    const room = titleOf(this.#room, texts);
    const isSure = await asking.ask({
      title: texts.say("moderators.dismiss_whom", { name: nickname }),
      text: texts.say("moderators.dismiss_text", { name: nickname, room }),
      confirm: texts.say("moderators.dismiss"),
      isGrave: true,
    });
    if (!isSure) return;
    await news.of(
      () => api.act("DELETE", pathOf("rooms", this.#room, "moderators", nickname)),
      () => texts.say("moderators.dismissed", { name: nickname, room }),
    );
    this.soon();
  }
}
