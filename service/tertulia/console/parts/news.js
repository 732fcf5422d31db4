/** What came of what somebody did: shown until the next, and read out. */

import { element } from "../../web/document/element.js";
import { Problem } from "../service/api.js";

/** @import { Words } from "../texts/words.js" */

export class News {
  #done;
  #failed;
  #texts;

  /**
   * Both are live regions.
   * @param {{ done: HTMLElement, failed: HTMLElement, texts: Words }} options
   */
  constructor({ done, failed, texts }) {
    this.#done = done;
    this.#failed = failed;
    this.#texts = texts;
  }

  /** @param {string} text */
  tell(text) {
    this.#failed.replaceChildren();
    this.#show(this.#done, text);
  }

  /** @param {string} text */
  complain(text) {
    this.#done.replaceChildren();
    this.#show(this.#failed, text);
  }

  clear() {
    this.#done.replaceChildren();
    this.#failed.replaceChildren();
  }

  /**
   * Do something and tell what came of it. Returns the answer, or undefined where it did not work.
   * @template Answer
   * @param {() => Promise<Answer>} work
   * @param {(answer: Answer) => string} told
   * @returns {Promise<Answer | undefined>}
   */
  async of(work, told) {
    try {
      const answer = await work();
      this.tell(told(answer));
      return answer;
    } catch (error) {
      this.complain(this.#texts.say("news.failed", { detail: detailOf(error, this.#texts) }));
      return undefined;
    }
  }

  /**
   * @param {HTMLElement} region
   * @param {string} text
   */
  #show(region, text) {
    const close = element("button", "quiet", "×");
    close.type = "button";
    close.ariaLabel = this.#texts.say("news.close");
    close.addEventListener("click", () => {
      region.replaceChildren();
      document.getElementById("main")?.focus();
    });
    region.replaceChildren(element("bdi", "people-text", text), close);
  }
}

/**
 * Return what went wrong, for people.
 * @param {unknown} error
 * @param {Words} texts
 */
export function detailOf(error, texts) {
  if (!(error instanceof Problem)) throw error;
  return texts.has(`problem.${error.kind}`) && error.status === 0
    ? texts.say(/** @type {any} */ (`problem.${error.kind}`)) // has() has seen it
    : error.message;
}
