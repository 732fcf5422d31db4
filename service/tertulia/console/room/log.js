/** A room's log as it happens: read back page by page, with what can be done about each message. */

import { element } from "../../web/document/element.js";
import { walk } from "../../web/log/walk.js";
import { button, section, written } from "../parts/made.js";
import { detailOf } from "../parts/news.js";
import { pathOf } from "../service/api.js";
import { Following } from "../service/following.js";
import { isSaid, Lines } from "./lines.js";

/**
 * @import { FollowingState } from "../service/following.js"
 * @import { Problem } from "../service/api.js"
 * @import { Means } from "../views/view.js"
 * @import { Acts } from "./acts.js"
 * @import { Happened, Line, Said } from "./lines.js"
 */

/** Who does what operators do. */
const SERVER = "G";
/** Messages of a page. */
const PAGE = 50;
/** Pixels from the end within which the reader follows what comes. */
const NEAR = 40;

export class RoomLog {
  #means;
  #acts;
  #room;
  #onEvent;
  #lines = new Lines();
  /** @type {Map<string, { element: HTMLElement, told: string }>} */
  #drawn = new Map();
  #list;
  #scroller;
  #older;
  #begin;
  #state;
  #jump;
  #isLoaded = false;
  #unseen = 0;
  /** @type {Following | null} */
  #following = null;
  element;

  /**
   * `onEvent` is called with what happened in the room, and is no message.
   * @param {{ means: Means, acts: Acts, room: string, onEvent: (type: string) => void }} options
   */
  constructor({ means, acts, room, onEvent }) {
    const { texts } = means;
    this.#means = means;
    this.#acts = acts;
    this.#room = room;
    this.#onEvent = onEvent;
    this.#state = element("p", "live");
    this.#state.role = "status";
    this.#older = button(texts.say("log.older"), () => void this.#page());
    this.#older.hidden = true;
    this.#begin = element("p", "hint", texts.say("log.begins"));
    this.#begin.hidden = true;
    this.#list = element("ol", "lines");
    this.#scroller = element("div", "log", this.#older, this.#begin, this.#list);
    this.#scroller.tabIndex = 0;
    this.#scroller.role = "region";
    this.#scroller.ariaLabel = texts.say("log.messages");
    this.#scroller.addEventListener("keydown", (event) => walk(event, this.#scroller));
    this.#scroller.addEventListener("scroll", () => {
      if (this.#isNear) this.#seen();
    });
    this.#jump = button("", () => this.#toEnd(), { className: "primary jump-to-end" });
    this.#jump.hidden = true;
    this.element = section(
      "log",
      texts.say("log.title"),
      this.#state,
      element("div", "log-frame", this.#scroller, this.#jump),
    );
    if (means.rights.moderates) {
      const hint = element("p", "hint", texts.say("log.keys"));
      hint.id = "log-keys";
      this.#scroller.setAttribute("aria-describedby", hint.id);
      this.element.append(hint);
    }
  }

  open() {
    this.#following = new Following({
      api: this.#means.api,
      path: pathOf("rooms", this.#room, "events"),
      onState: (state, problem) => this.#showState(state, problem),
      onEvent: (type, data) => this.#happened(type, data),
    });
  }

  close() {
    this.#following?.end();
  }

  /**
   * @param {FollowingState} state
   * @param {Problem | null} problem
   */
  #showState(state, problem) {
    const { texts } = this.#means;
    const detail = problem === null ? "" : detailOf(problem, texts);
    const text = texts.say(`stream.${state}`, { detail });
    if (this.#state.textContent !== text) this.#state.textContent = text;
    this.#state.classList.toggle("is-stale", state === "lost" || state === "refused");
    // Once the stream is open nothing is missed between it and the page that is asked for now.
    if (state === "live" && !this.#isLoaded) void this.#page();
  }

  async #page() {
    const { api, news, texts } = this.#means;
    const isFirst = !this.#isLoaded;
    const before = isFirst ? null : this.#lines.before;
    if (!isFirst && before === null) return;
    this.#isLoaded = true;
    this.#older.disabled = true;
    const query = before === null ? "" : `&before=${encodeURIComponent(before)}`;
    try {
      const page = await api.get(
        `${pathOf("rooms", this.#room, "messages")}?limit=${PAGE}${query}`,
      );
      const height = this.#scroller.scrollHeight;
      const hasFocus = document.activeElement === this.#older;
      this.#lines.came(page);
      this.#draw();
      if (isFirst) this.#toEnd();
      else this.#scroller.scrollTop += this.#scroller.scrollHeight - height;
      if (hasFocus && this.#older.hidden) this.#scroller.focus();
    } catch (error) {
      if (isFirst) this.#isLoaded = false;
      news.complain(texts.say("log.failed", { detail: detailOf(error, texts) }));
    } finally {
      this.#older.disabled = false;
    }
  }

  /**
   * @param {string} type
   * @param {Record<string, any>} data
   */
  #happened(type, data) {
    if (type === "hello") return;
    if (type !== "said") this.#onEvent(type);
    const isNear = this.#isNear;
    if (type === "gap" && data.entries === null) {
      // Redis has lost its data, and there is another log: it is read anew.
      this.#lines.clear();
      this.#isLoaded = false;
      void this.#page();
    }
    if (!this.#lines.happened(type, data)) return;
    if (isNear) this.#lines.trim();
    this.#draw();
    if (isNear) this.#toEnd();
    else if (type === "said") {
      this.#unseen += 1;
      this.#jump.textContent = this.#means.texts.say("log.new", { count: this.#unseen });
      this.#jump.hidden = false;
    }
  }

  get #isNear() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR;
  }

  #toEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#seen();
  }

  #seen() {
    this.#unseen = 0;
    if (document.activeElement === this.#jump) this.#scroller.focus();
    this.#jump.hidden = true;
  }

  #draw() {
    const { all, before } = this.#lines;
    this.#older.hidden = before === null;
    this.#begin.hidden = before !== null || !this.#isLoaded;
    const wanted = new Set(all.map((it) => it.key));
    for (const [key, { element: it }] of this.#drawn) {
      if (wanted.has(key)) continue;
      it.remove();
      this.#drawn.delete(key);
    }
    let place = this.#list.firstElementChild;
    for (const line of all) {
      const old = this.#drawn.get(line.key)?.element;
      const made = this.#line(line);
      if (old === place && old !== undefined) place = made; // it may have taken its place
      if (made === place) place = made.nextElementSibling;
      else this.#list.insertBefore(made, place);
    }
  }

  /** @param {Line} line */
  #line(line) {
    const told = isSaid(line) && line.isRedacted ? "redacted" : "";
    const known = this.#drawn.get(line.key);
    if (known?.told === told) return known.element;
    const made = isSaid(line) ? this.#said(line) : this.#notice(line);
    if (known !== undefined) {
      if (known.element.contains(document.activeElement)) this.#scroller.focus();
      known.element.replaceWith(made);
    }
    this.#drawn.set(line.key, { element: made, told });
    return made;
  }

  /** @param {Said} line */
  #said(line) {
    const { texts, rights } = this.#means;
    const made = element(
      "li",
      "said",
      this.#clock(line.at),
      " ",
      element("bdi", "name", line.nickname),
      ": ",
      line.isRedacted
        ? element("span", "is-redacted", texts.say("log.redacted"))
        : written(line.text, "text"),
    );
    if (rights.moderates && !line.isRedacted) {
      const act = button("⋯", () => void this.#act(line), {
        label: texts.say("log.act", { name: line.nickname }),
        className: "act",
      });
      act.tabIndex = -1; // there are many: the keys of the log lead to them
      made.append(" ", act);
    }
    return made;
  }

  /** @param {Happened} line */
  #notice({ kind, at, data }) {
    const { texts } = this.#means;
    const values = {
      name: String(data.nickname ?? ""),
      by: data.by === SERVER ? texts.say("event.by_service") : String(data.by ?? ""),
      count: Number(data.entries ?? data.seconds ?? 0),
    };
    const isOff = data.on === false || (kind === "gap" && data.entries === null);
    const until = kind === "muted" && data.until ? Date.parse(data.until) : null;
    const form = isOff ? "_off" : until === null ? "" : "_until";
    const told = texts.sayOr(`event.${kind}${form}`, { ...values, kind, until });
    const text = data.reason ?? data.text ?? "";
    return element(
      "li",
      kind === "gap" ? "notice is-grave" : "notice",
      kind === "gap" ? null : this.#clock(at),
      " ",
      element("span", "", told),
      ...(text ? [told.endsWith(":") ? " " : ": ", written(String(text), "text")] : []),
    );
  }

  /** @param {number} at */
  #clock(at) {
    const { texts } = this.#means;
    const made = element("time", "", texts.time(at));
    made.dateTime = new Date(at).toISOString();
    made.title = texts.say("value.moment", { until: at });
    return made;
  }

  /** @param {Said} line */
  async #act({ place, nickname, text }) {
    const { asking, texts, rights } = this.#means;
    const choice = await asking.choose({
      title: texts.say("log.act", { name: nickname }),
      text: text.length > 200 ? `${text.slice(0, 200)}…` : text,
      choices: {
        ...(rights.operates ? { ban: texts.say("ban.act") } : {}),
        kick: texts.say("kick.act"),
        mute: texts.say("mute.act"),
        redact: texts.say("redact.act"),
      },
      cancel: texts.say("ask.cancel"),
    });
    if (choice === "redact") await this.#acts.redact(this.#room, place, nickname);
    if (choice === "mute") await this.#acts.mute(this.#room, nickname);
    if (choice === "kick") await this.#acts.kick(this.#room, nickname);
    if (choice === "ban") await this.#acts.ban({ nickname });
    if (choice !== null) this.#onEvent(choice);
  }
}
