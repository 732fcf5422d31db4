/**
 * The log on the page: a window on the transcript that is never larger than the browser likes.
 *
 * The transcript keeps ten thousand lines; of these a stretch, `from` up to `to`, is in the document.
 * While the reader follows the end, the stretch is the latest lines. Who scrolls up reads undisturbed:
 * nothing above or in sight moves, and at either end of the stretch further lines are fetched.
 */

import { drawLine, drawPending, element } from "./line.js";

/**
 * @import { Chat } from "./chat.js"
 * @import { Texts } from "./texts.js"
 */

/** Lines in the document, at most. */
export const RENDERED = 1_000;

/** Lines that are left when those that scrolled away are taken out, and how many more make it time. */
const FOLLOWED = 150;
const SLACK = 100;
/** Lines that are drawn in one go; when more have come, those before are drawn when there is time. */
const AT_ONCE = 60;
/** Lines that are fetched at an end of the stretch. */
const PAGE = 150;
/** Pixels from an end of what is in the document at which more is fetched. */
const NEAR = 400;
/** Pixels from the end that still count as being there. */
const AT_END = 32;
/** Own messages on their way that are shown. */
const PENDING = 20;

export class Log {
  #scroller;
  #list;
  #pendingList;
  #chat;
  #texts;
  #from = 0;
  #to = 0;
  #generation = 0;
  #outboxVersion = -1;
  #isFollowing = true;
  #readUpTo = 0;
  #top = 0;
  #onMove;

  /**
   * `onMove` is called when the reader leaves the end, or comes to it: that is to be shown.
   * @param {object} options
   * @param {HTMLElement} options.scroller
   * @param {HTMLElement} options.list
   * @param {HTMLElement} options.pendingList
   * @param {Chat} options.chat
   * @param {Texts} options.texts
   * @param {() => void} options.onMove
   */
  constructor({ scroller, list, pendingList, chat, texts, onMove }) {
    this.#scroller = scroller;
    this.#list = list;
    this.#pendingList = pendingList;
    this.#chat = chat;
    this.#texts = texts;
    this.#onMove = onMove;
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    scroller.addEventListener("keydown", (event) => {
      if (event.key === "End" && !event.ctrlKey && !event.altKey) {
        event.preventDefault();
        this.toEnd();
      }
    });
    new ResizeObserver(() => this.#stay()).observe(scroller);
  }

  /** Whether the reader is at the end, and stays there when something comes. */
  get isFollowing() {
    return this.#isFollowing;
  }

  /** Return how many messages have come since the reader scrolled up. */
  get unread() {
    return this.#isFollowing ? 0 : this.#chat.transcript.messages - this.#readUpTo;
  }

  /** Go to the end and follow it. */
  toEnd() {
    this.#isFollowing = true;
    this.#onMove();
  }

  /** Show what has changed. To be called once a frame. */
  render() {
    const { transcript } = this.#chat;
    if (transcript.generation !== this.#generation) {
      this.#generation = transcript.generation;
      this.#show(transcript.first, transcript.first);
      this.#isFollowing = true;
    }
    this.#redraw(transcript.takeTouched());
    if (this.#isFollowing) this.#follow();
    else if (this.#to >= transcript.first) this.#append(RENDERED - (this.#to - this.#from));
    this.#renderPending();
    this.#stay();
  }

  // --- The stretch -------------------------------------------------------------------------------

  #follow() {
    const { first, end } = this.#chat.transcript;
    const isNew = end > this.#to;
    if (end - this.#to > AT_ONCE) this.#show(end - AT_ONCE, end);
    else this.#append(end - this.#to);
    const count = this.#to - this.#from;
    if (count > FOLLOWED + SLACK) this.#dropFirst(count - FOLLOWED);
    if (count >= FOLLOWED || this.#from <= first) return;
    if (isNew) this.#onMove();
    else this.#prepend(AT_ONCE);
  }

  /**
   * Put exactly these lines into the document.
   * @param {number} from
   * @param {number} to
   */
  #show(from, to) {
    this.#list.replaceChildren(this.#drawn(from, to));
    this.#from = from;
    this.#to = to;
  }

  /** @param {number} count */
  #append(count) {
    const to = Math.min(this.#chat.transcript.end, this.#to + count);
    if (to <= this.#to) return;
    this.#list.append(this.#drawn(this.#to, to));
    this.#to = to;
  }

  /** @param {number} count */
  #prepend(count) {
    const from = Math.max(this.#chat.transcript.first, this.#from - count);
    if (from >= this.#from) return;
    this.#list.prepend(this.#drawn(from, this.#from));
    this.#from = from;
  }

  /** @param {number} count */
  #dropFirst(count) {
    const range = document.createRange();
    range.setStart(this.#list, 0);
    range.setEnd(this.#list, count);
    range.deleteContents();
    this.#from += count;
  }

  /** @param {number} count */
  #dropLast(count) {
    const range = document.createRange();
    range.setStart(this.#list, this.#list.childNodes.length - count);
    range.setEnd(this.#list, this.#list.childNodes.length);
    range.deleteContents();
    this.#to -= count;
  }

  /**
   * @param {number} from
   * @param {number} to
   */
  #drawn(from, to) {
    const made = document.createDocumentFragment();
    for (let seq = from; seq < to; seq += 1) {
      const line = this.#chat.transcript.line(seq);
      if (line !== undefined) made.append(drawLine(line, this.#texts));
    }
    return made;
  }

  /** @param {Set<number>} touched */
  #redraw(touched) {
    for (const seq of touched) {
      if (seq < this.#from || seq >= this.#to) continue;
      const line = this.#chat.transcript.line(seq);
      if (line === undefined) continue;
      this.#list.childNodes[seq - this.#from]?.replaceWith(drawLine(line, this.#texts));
    }
  }

  #renderPending() {
    const { outbox, nickname } = this.#chat;
    if (outbox.version === this.#outboxVersion) return;
    this.#outboxVersion = outbox.version;
    const pending = outbox.pending();
    const drawn = pending.slice(0, PENDING).map((it) => drawPending(it, nickname, this.#texts));
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
    const { transcript } = this.#chat;
    const scroller = this.#scroller;
    const wasFollowing = this.#isFollowing;
    const below = scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;
    const isAtEnd = below <= AT_END && this.#to === transcript.end;
    if (isAtEnd) {
      this.#isFollowing = true;
    } else if (this.#isFollowing && scroller.scrollTop < this.#top) {
      // Only the reader scrolls up; when something is added, the end merely moves away.
      this.#isFollowing = false;
      this.#readUpTo = transcript.messages;
    }
    this.#top = scroller.scrollTop;
    if (!this.#isFollowing) {
      if (scroller.scrollTop < NEAR) this.#fetchAbove();
      else if (below < NEAR) this.#fetchBelow();
    }
    if (this.#isFollowing !== wasFollowing) this.#onMove();
  }

  #fetchAbove() {
    if (this.#from <= this.#chat.transcript.first) return;
    const scroller = this.#scroller;
    const height = scroller.scrollHeight;
    this.#prepend(PAGE);
    scroller.scrollTop += scroller.scrollHeight - height;
    const excess = this.#to - this.#from - RENDERED;
    if (excess > 0) this.#dropLast(excess);
    this.#top = scroller.scrollTop;
  }

  #fetchBelow() {
    const { first, end } = this.#chat.transcript;
    if (this.#to >= end) return;
    const scroller = this.#scroller;
    if (this.#to < first) {
      // So much has come that what follows is not kept any more: go on with the oldest that is.
      this.#show(first, Math.min(end, first + PAGE));
      scroller.scrollTop = 0;
      return;
    }
    this.#append(PAGE);
    const excess = this.#to - this.#from - RENDERED;
    if (excess > 0) {
      const height = scroller.scrollHeight;
      this.#dropFirst(excess);
      scroller.scrollTop -= height - scroller.scrollHeight;
    }
    this.#top = scroller.scrollTop;
  }
}
