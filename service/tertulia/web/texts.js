/**
 * The page's words, in the reader's language.
 *
 * `{name}` in a text stands for a value. A text that depends on a number `{count}` is an object with
 * the forms that the language has.
 */

import { EN } from "./texts-en.js";
import { ES } from "./texts-es.js";
import { IT } from "./texts-it.js";

/**
 * @typedef {keyof typeof EN} Key
 * @typedef {keyof typeof CATALOGUE} Language
 * @typedef {{ [form in Intl.LDMLPluralRule]?: string } & { other: string }} Forms
 * @typedef {{ readonly [key in Key]: string | Forms }} Catalogue
 * @typedef {{ readonly [name: string]: string | number | null }} Values
 */

/** All texts, by language. */
export const CATALOGUE = Object.freeze({ en: EN, es: ES, it: IT });

/**
 * Return the first of the reader's languages that there are texts in, else English.
 * @param {readonly string[]} wanted
 */
export function chooseLanguage(wanted) {
  for (const tag of wanted) {
    const language = tag.toLowerCase().split("-")[0];
    if (isKnown(language)) return language;
  }
  return "en";
}

/**
 * @param {string | undefined} language
 * @returns {language is Language}
 */
function isKnown(language) {
  return language !== undefined && Object.hasOwn(CATALOGUE, language);
}

/** The words of one language, and its ways with numbers, lists and times. */
export class Texts {
  /** @type {Catalogue} */
  #texts;
  #plural;
  #number;
  #list;
  #time;
  #day;
  #minute = { from: 0, text: "" };

  /**
   * `locale` says how times are written: the reader's own, where it is of the same language.
   * @param {Language} language
   * @param {string} locale
   */
  constructor(language, locale = language) {
    this.language = language;
    this.#texts = CATALOGUE[language];
    this.#plural = new Intl.PluralRules(language);
    this.#number = new Intl.NumberFormat(locale);
    this.#list = new Intl.ListFormat(locale, { type: "conjunction" });
    this.#time = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
    this.#day = new Intl.DateTimeFormat(locale, { dateStyle: "full" });
  }

  /**
   * Whether there is a text of that name.
   * @param {string} key
   * @returns {key is Key}
   */
  has(key) {
    return Object.hasOwn(this.#texts, key);
  }

  /**
   * Return a text with its values put in. They are text, too: nothing here is ever markup.
   * @param {Key} key
   * @param {Values} values
   */
  say(key, values = {}) {
    const count = Number(values.count);
    let text = this.#texts[key];
    if (typeof text === "object") text = text[this.#plural.select(count)] ?? text.other;
    return text.replace(/\{(\w+)\}/g, (_, name) =>
      name === "count" ? this.#number.format(count) : String(values[name]),
    );
  }

  /**
   * Return a text, or the group's `other` where a newer service gave a word that is not known here.
   * @param {`${"refused" | "ended" | "failed"}.${string}`} key
   * @param {Values} values
   */
  sayOr(key, values) {
    if (this.has(key)) return this.say(key, values);
    const [group] = key.split(".");
    return this.say(/** @type {Key} */ (`${group}.other`), values); // as the type of key says
  }

  /**
   * Return names in a row: "anna, bruno and 37 more".
   * @param {string[]} names
   * @param {number} count
   */
  names(names, count) {
    const more = count - names.length;
    const all = more > 0 ? [...names, this.say("log.and_more", { count: more })] : names;
    return this.#list.format(all);
  }

  /**
   * Return the time of day. Most lines are of the same minute as the one before.
   * @param {number} at
   */
  time(at) {
    const from = at - (at % 60_000);
    if (from !== this.#minute.from) this.#minute = { from, text: this.#time.format(at) };
    return this.#minute.text;
  }

  /**
   * Return the day.
   * @param {number} at
   */
  day(at) {
    return this.#day.format(at);
  }
}
