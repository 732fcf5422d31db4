/** Who is in a room, and what is done to them there. */

import { element } from "../../web/document/element.js";
import { Live } from "../parts/live.js";
import { button, moment, section } from "../parts/made.js";
import { Table } from "../parts/table.js";
import { pathOf } from "../service/api.js";

/**
 * @import { Mute, Person } from "../service/bodies.js"
 * @import { Means } from "../views/view.js"
 * @import { Acts } from "./acts.js"
 */

/** Names that are shown; others are found by typing. */
const SHOWN = 200;

export class RoomPeople {
  #texts;
  #table;
  #find;
  #more;
  /** @type {Person[]} */
  #all = [];
  /** Folded nicknames. @type {Set<string>} */
  #muted = new Set();
  live;
  element;

  /**
   * `onActed` is called when something was done.
   * @param {{ means: Means, acts: Acts, room: string, onActed: () => void }} options
   */
  constructor({ means, acts, room, onActed }) {
    const { api, rights, texts } = means;
    this.#texts = texts;
    /** @type {(act: Promise<boolean>) => Promise<void>} */
    const act = async (work) => {
      if (await work) onActed();
    };
    this.#table = new Table({
      label: texts.say("people.title"),
      empty: texts.say("people.none"),
      keyOf: (/** @type {Person & { isMuted: boolean }} */ it) => it.nickname,
      columns: [
        {
          label: texts.say("people.name"),
          cell: (it) =>
            element(
              "span",
              "",
              element("bdi", "", it.nickname),
              ...(it.isMuted ? [" ", element("span", "tag", texts.say("people.muted"))] : []),
              element("span", "small", this.#about(it), " · ", moment(it.since, texts)),
            ),
        },
        {
          label: texts.say("table.acts"),
          className: "acts",
          isFixed: true,
          cell: ({ nickname }, now) => {
            if (!rights.moderates) return null;
            const made = [
              button(texts.say("mute.act"), () => void act(acts.mute(room, nickname)), {
                label: texts.say("mute.act_whom", { name: nickname }),
              }),
              button(texts.say("kick.act"), () => void act(acts.kick(room, nickname)), {
                label: texts.say("kick.act_whom", { name: nickname }),
              }),
            ];
            if (rights.operates) {
              made.push(
                button(
                  texts.say("ban.act"),
                  () => void act(acts.ban({ nickname, address: now().address ?? null })),
                  { label: texts.say("ban.act_whom", { name: nickname }) },
                ),
              );
            }
            return element("span", "buttons", ...made);
          },
        },
      ],
    });
    this.#find = element("input", "find");
    this.#find.type = "search";
    this.#find.autocomplete = "off";
    this.#find.ariaLabel = this.#find.placeholder = texts.say("people.find");
    this.#find.addEventListener("input", () => this.#draw());
    this.#more = element("p", "hint");
    this.live = new Live({
      texts,
      ask: () => api.get(`${pathOf("rooms", room, "people")}`),
      show: (answer) => {
        this.#all = itemsOf(answer);
        this.#draw();
      },
    });
    this.element = section(
      "people",
      texts.say("people.title"),
      this.live.element,
      this.#find,
      this.#table.element,
      this.#more,
    );
  }

  /**
   * Mark who is muted.
   * @param {readonly Mute[]} mutes
   */
  mark(mutes) {
    this.#muted = new Set(mutes.map((it) => it.nickname.toLowerCase()));
    this.#draw();
  }

  #draw() {
    const wanted = this.#find.value.trim().toLowerCase();
    const found = this.#all.filter((it) => it.nickname.toLowerCase().includes(wanted));
    this.#table.show(
      found
        .slice(0, SHOWN)
        .map((it) => ({ ...it, isMuted: this.#muted.has(it.nickname.toLowerCase()) })),
    );
    const count = found.length - SHOWN;
    this.#more.textContent = count > 0 ? this.#texts.say("people.more", { count }) : "";
  }

  /** @param {Person} person */
  #about({ kind, dialect, node, address }) {
    const words = kind === "account" || kind === "guest" ? this.#texts.say(`people.${kind}`) : kind;
    return [words, dialect, node, address].filter(Boolean).join(" · ");
  }
}

/**
 * Return the items of an answer.
 * @param {any} answer
 * @returns {any[]}
 */
export function itemsOf(answer) {
  return Array.isArray(answer) ? answer : (answer?.items ?? []);
}
