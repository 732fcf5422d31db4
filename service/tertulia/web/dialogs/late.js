/** What few people use is loaded when it is first wanted, or says that it could not be. */

/**
 * @import { Asking } from "./asking.js"
 * @import { Texts } from "../texts/texts.js"
 */

/**
 * Returns an element of the page, of a certain kind, by its id.
 * @typedef {<Kind extends HTMLElement>(id: string, kind: new () => Kind) => Kind} PartAs
 */

/** Milliseconds that loading may take before it is said that it does not come. */
const PATIENCE = 10_000;

/**
 * @template {object} Module
 * @template Thing
 */
export class Late {
  #load;
  #spell;
  #put;
  #make;
  #asking;
  #texts;
  /** @type {Promise<Thing | null> | null} */
  #loading = null;
  /**
   * It, once it was loaded.
   * @type {Thing | null}
   */
  now = null;

  /**
   * `load` imports its module, and `make` makes it. A dialog's words are loaded by `spell`, and the
   * module's `MARKUP` is `put` into the document.
   * @param {{ asking: Asking, texts: Texts, spell?: () => Promise<void>, put?: (markup: string) => void }} means
   * @param {() => Promise<Module>} load
   * @param {(module: Module) => Thing} make
   */
  constructor({ asking, texts, spell, put }, load, make) {
    this.#spell = spell;
    this.#put = put;
    this.#load = load;
    this.#make = make;
    this.#asking = asking;
    this.#texts = texts;
  }

  /** Return it. Null where it could not be loaded, and the reader, who was told, wants no more tries. */
  get() {
    this.#loading ??= this.#get().finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  /** Return it, or null where it can't be loaded now: who did not ask for it is not told. */
  async attempt() {
    if (this.now !== null) return this.now;
    const loaded = await Promise.race([
      Promise.all([this.#load(), this.#spell?.()]),
      /** @type {Promise<never>} */ (new Promise((_, fail) => setTimeout(fail, PATIENCE))),
    ]).catch(() => null);
    // Two may have waited for the same.
    if (this.now === null && loaded !== null) {
      const [module] = loaded;
      if ("MARKUP" in module) this.#put?.(String(module.MARKUP));
      this.now = this.#make(module);
    }
    return this.now;
  }

  async #get() {
    while ((await this.attempt()) === null) {
      const isAgain = await this.#asking.ask({
        title: this.#texts.say("late.title"),
        text: this.#texts.say("late.text"),
        confirm: this.#texts.say("late.again"),
      });
      if (!isAgain) return null;
    }
    return this.now;
  }
}
