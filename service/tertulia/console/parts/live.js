/** Something that is asked for again and again, and says how old it is. */

import { element } from "../../web/document/element.js";
import { detailOf } from "./news.js";

/** @import { Words } from "../texts/words.js" */

/** Milliseconds between two questions where nothing says otherwise. */
const EVERY = 5_000;
/** Milliseconds between two questions at most, while there are no answers. */
const MOST = 30_000;
/** Milliseconds between two questions at least: much may happen at once. */
const LEAST = 400;

/** @template Answer */
export class Live {
  #ask;
  #show;
  #every;
  #texts;
  #note;
  #again;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #isOpen = false;
  #asked = 0;
  #failures = 0;
  #at = 0;
  #last = -LEAST;
  /** What tells how old it is. */
  element;

  /**
   * @param {object} options
   * @param {() => Promise<Answer>} options.ask
   * @param {(answer: Answer) => void} options.show
   * @param {Words} options.texts
   * @param {number} [options.every] milliseconds
   */
  constructor({ ask, show, texts, every = EVERY }) {
    this.#ask = ask;
    this.#show = show;
    this.#texts = texts;
    this.#every = every;
    this.#note = element("span", "", texts.say("live.loading"));
    this.#again = element("button", "link", texts.say("live.again"));
    this.#again.type = "button";
    this.#again.hidden = true;
    this.#again.addEventListener("click", () => this.soon());
    this.element = element("p", "live", this.#note, this.#again);
  }

  /** Begin to ask. */
  open() {
    this.#isOpen = true;
    this.soon();
  }

  /** Ask no more. */
  close() {
    this.#isOpen = false;
    this.#asked += 1;
    clearTimeout(this.#timer);
  }

  /** Ask now, or as soon as one may ask again. */
  soon() {
    if (!this.#isOpen) return;
    clearTimeout(this.#timer);
    const pause = this.#last + LEAST - performance.now();
    this.#timer = setTimeout(() => void this.#once(), Math.max(0, pause));
  }

  async #once() {
    this.#asked += 1;
    this.#last = performance.now();
    const asked = this.#asked;
    try {
      const answer = await this.#ask();
      if (asked !== this.#asked) return;
      this.#failures = 0;
      this.#at = Date.now();
      this.#show(answer);
      this.#tell(this.#texts.say("live.fresh", { time: this.#texts.time(this.#at) }), false);
    } catch (error) {
      const detail = detailOf(error, this.#texts);
      if (asked !== this.#asked) return;
      this.#failures += 1;
      const time = this.#texts.time(this.#at);
      const key = this.#at === 0 ? "live.never" : "live.stale";
      this.#tell(this.#texts.say(key, { time, detail }), true);
    }
    const pause = this.#failures ? Math.min(MOST, EVERY * 2 ** (this.#failures - 1)) : this.#every;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#next(), pause);
  }

  #next() {
    if (document.hidden) {
      // Nobody looks: it is asked again when somebody does.
      document.addEventListener("visibilitychange", () => this.soon(), { once: true });
      return;
    }
    void this.#once();
  }

  /**
   * @param {string} text
   * @param {boolean} isStale
   */
  #tell(text, isStale) {
    if (this.#note.textContent !== text) this.#note.textContent = text;
    this.element.classList.toggle("is-stale", isStale);
    this.#again.hidden = !isStale;
  }
}
