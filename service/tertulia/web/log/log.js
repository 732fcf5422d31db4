/**
 * The log on the page: all lines that the transcript keeps, the latest drawn first.
 *
 * While the reader follows the end, it stays in sight. Who scrolls up reads undisturbed: what is in sight
 * does not move, whatever comes, goes or is drawn around it.
 */

import { element } from "../document/element.js";
import { BLOCK, Blocks } from "./blocks.js";
import { drawLine, drawPending } from "./line.js";

/**
 * @import { Chat } from "../chat/chat.js"
 * @import { Manner } from "./line.js"
 * @import { Line, Numbered, Transcript } from "../chat/transcript.js"
 * @import { Texts } from "../texts/texts.js"
 */

/**
 * What makes whole lines of what is copied: loaded when something is selected; without it, a browser copies as it does.
 * @typedef {{ now: typeof import("./copying.js") | null, attempt: () => Promise<unknown> }} LateCopying
 */

/** Blocks of lines that are drawn at once at the end; those before are drawn when there is time. */
const AT_ONCE = 2;
const LATER = 3;
/** Pixels beside what is in sight that are drawn before the reader is there. */
const NEAR = 800;
/** Pixels beside what is in sight of which nothing is taken out, even when it is not kept any more. */
const READ = 5_000;
/** Pixels from the end that still count as being there. */
const AT_END = 32;
/** Own messages on their way that are shown. */
const PENDING = 20;

export class Log {
  #scroller;
  #pendingList;
  #chat;
  #texts;
  #blocks;
  /** @type {Transcript | null} */
  #transcript = null;
  #generation = 0;
  #isModerated = false;
  #pendingDrawn = "";
  #isFollowing = true;
  /** @type {number | null} */
  #mark = null;
  #top = 0;
  #onMove;
  #onTop;
  #onModerated;

  /**
   * `onMove` is called when the reader leaves the end, or comes to it: that is to be shown. `onName` is
   * called when a name is clicked, with its button and the line that it stands in; `onTop` when the
   * reader is near the oldest line that is kept; `onModerated` when each message has a button, or none any more.
   * @param {object} options
   * @param {HTMLElement} options.scroller
   * @param {HTMLElement} options.list
   * @param {HTMLElement} options.pendingList
   * @param {Chat} options.chat
   * @param {Texts} options.texts
   * @param {LateCopying} options.copying
   * @param {() => void} options.onMove
   * @param {() => void} options.onTop
   * @param {(nickname: string, button: HTMLElement, line: Numbered<Line> | null) => void} options.onName
   * @param {() => void} options.onModerated
   */
  constructor({
    scroller,
    list,
    pendingList,
    chat,
    texts,
    copying,
    onMove,
    onTop,
    onName,
    onModerated,
  }) {
    this.#scroller = scroller;
    this.#pendingList = pendingList;
    this.#chat = chat;
    this.#texts = texts;
    this.#onMove = onMove;
    this.#onTop = onTop;
    this.#onModerated = onModerated;
    this.#blocks = new Blocks(list, (seq) => this.#drawn(seq));
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    scroller.addEventListener("keydown", (event) => {
      if (event.key === "End" && !event.ctrlKey && !event.altKey) {
        event.preventDefault();
        this.toEnd();
      } else if (event.key === "a" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        getSelection()?.selectAllChildren(list);
      }
    });
    document.addEventListener("selectionchange", () => {
      if (getSelection()?.type === "Range") void copying.attempt();
    });
    document.addEventListener("copy", (event) => {
      const { transcript } = chat.shown;
      const text = copying.now?.copied(getSelection(), list, transcript, this.#manner) ?? null;
      if (text === null) return;
      event.clipboardData?.setData("text/plain", text);
      event.preventDefault();
    });
    list.addEventListener("click", ({ target }) => {
      if (!(target instanceof HTMLElement) || !target.matches("button.name, .act")) return;
      const seq = Number(target.closest(".line")?.getAttribute("data-line"));
      onName(target.dataset.nickname ?? "", target, chat.shown.transcript.line(seq) ?? null);
    });
    new ResizeObserver(() => this.#stay()).observe(scroller);
  }

  /** Whether the reader is at the end, and stays there when something comes. */
  get isFollowing() {
    return this.#isFollowing;
  }

  /** Go to the end and follow it. */
  toEnd() {
    this.#isFollowing = true;
    this.#onMove();
  }

  /** Whether the mark of what is new is in sight. */
  get isMarkInSight() {
    const line = this.#mark === null ? null : this.#blocks.line(this.#mark);
    return line !== null && this.#isNear(line, 0);
  }

  /**
   * Put the mark of what is new above a line; null is above none.
   * @param {number | null} seq
   */
  set mark(seq) {
    this.#turn();
    if (seq === this.#mark) return;
    const last = this.#mark;
    this.#mark = seq;
    for (const it of [last, seq]) if (it !== null) this.#blocks.redraw(it);
  }

  /** Begin anew, where another room is shown, or the log was cleared. */
  #turn() {
    const { transcript } = this.#chat.shown;
    const { generation } = transcript;
    if (transcript === this.#transcript && generation === this.#generation) return;
    this.#transcript = transcript;
    this.#generation = generation;
    this.#blocks.clear();
    this.#mark = null;
    this.#isFollowing = true;
  }

  /** Show what has changed. To be called once a frame. */
  render() {
    this.#turn();
    const { transcript, rules } = this.#chat.shown;
    const { first, end } = transcript;
    const { isModerator } = rules;
    const isOther = isModerator !== this.#isModerated;
    this.#isModerated = isModerator;
    if (isOther) this.#onModerated();
    this.#inPlace(() => {
      this.#blocks.cover(first, end, this.#isFollowing ? null : (it) => this.#isNear(it, READ));
      for (const seq of transcript.takeTouched()) this.#blocks.redraw(seq);
      if (isOther) for (let seq = first; seq < end; seq += 1) this.#blocks.redraw(seq);
      const drawn = this.#isFollowing ? this.#blocks.drawLast(AT_ONCE) : 0;
      if (drawn < BLOCK) this.#blocks.drawMissing(LATER);
      if (!this.#blocks.isDrawn) this.#onMove();
    });
    this.#renderPending();
    this.#stay();
  }

  /**
   * Bring a line into sight. Returns whether it is kept.
   * @param {number} seq
   */
  show(seq) {
    const line = this.#blocks.reach(seq);
    if (line === null) return false;
    this.#isFollowing = false;
    line.scrollIntoView({ block: "center" });
    line.classList.add("is-shown");
    this.#onMove();
    return true;
  }

  /** @param {number} seq */
  #drawn(seq) {
    const line = this.#chat.shown.transcript.line(seq);
    if (line === undefined) return element("div", "line");
    const made = drawLine(line, this.#manner);
    if (seq === this.#mark) {
      made.prepend(element("div", "mark", element("span", "", this.#texts.say("log.mark"))));
      made.classList.add("has-mark");
    }
    return made;
  }

  /** @returns {Manner} */
  get #manner() {
    const { nickname, likeness } = this.#chat;
    return { texts: this.#texts, reader: nickname, likeness, isModerated: this.#isModerated };
  }

  #renderPending() {
    const { lobby, shown } = this.#chat;
    const state = `${shown.name} ${shown.outbox.version} ${lobby.outbox.version}`;
    if (state === this.#pendingDrawn) return;
    this.#pendingDrawn = state;
    const pending = this.#chat.pending();
    const drawn = pending.slice(0, PENDING).map((it) => drawPending(it, this.#manner));
    if (pending.length > PENDING) {
      const count = pending.length - PENDING;
      drawn.push(element("p", "more", this.#texts.say("log.more_pending", { count })));
    }
    this.#pendingList.replaceChildren(...drawn);
  }

  // --- Scrolling ---------------------------------------------------------------------------------

  /** Stay at the end, if that is where the reader is. */
  #stay() {
    const scroller = this.#scroller;
    if (this.#isFollowing) scroller.scrollTop = scroller.scrollHeight;
    this.#top = scroller.scrollTop;
  }

  #scrolled() {
    const scroller = this.#scroller;
    const wasFollowing = this.#isFollowing;
    const below = scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;
    if (below <= AT_END && this.#blocks.isDrawnToEnd) {
      this.#isFollowing = true;
    } else if (this.#isFollowing && scroller.scrollTop < this.#top) {
      // Only the reader scrolls up; when something is added, the end merely moves away.
      this.#isFollowing = false;
    }
    this.#top = scroller.scrollTop;
    if (!this.#isFollowing) this.#drawNear();
    if (this.#isFollowing !== wasFollowing) this.#onMove();
    if (scroller.scrollTop < NEAR) this.#onTop();
  }

  /** Draw what comes into sight next, before its turn. */
  #drawNear() {
    const { top, bottom } = this.#scroller.getBoundingClientRect();
    this.#inPlace(() => {
      while (this.#blocks.drawBetween(top - NEAR, bottom + NEAR));
    });
  }

  /**
   * Change something, and have what the reader sees stay where it is.
   * @param {() => void} change
   */
  #inPlace(change) {
    if (this.#isFollowing) {
      change();
      return;
    }
    const { top } = this.#scroller.getBoundingClientRect();
    const before = this.#blocks.lineBelow(top);
    const at = before?.getBoundingClientRect().top ?? 0;
    change();
    if (before === null) return;
    const seq = before.getAttribute("data-line");
    const after = before.isConnected || seq === null ? before : this.#blocks.line(Number(seq));
    if (after?.isConnected) this.#scroller.scrollTop += after.getBoundingClientRect().top - at;
    this.#top = this.#scroller.scrollTop;
  }

  /**
   * @param {HTMLElement} block
   * @param {number} pixels
   */
  #isNear(block, pixels) {
    const { top, bottom } = this.#scroller.getBoundingClientRect();
    const rect = block.getBoundingClientRect();
    return rect.bottom > top - pixels && rect.top < bottom + pixels;
  }
}
