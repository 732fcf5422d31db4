/**
 * The page's words, in the reader's language.
 *
 * `{name}` in a text stands for a value. A text that depends on a number `{count}` is an object with
 * the forms that the language has.
 */

import { EN } from "./texts-en.js";
import { ES } from "./texts-es.js";
import { IT } from "./texts-it.js";

/** All texts, by language. */
export const CATALOGUE = Object.freeze({ en: EN, es: ES, it: IT });

/** Return the first of the reader's languages that there are texts in, else English. */
export function chooseLanguage(wanted) {
  for (const tag of wanted) {
    const language = tag.toLowerCase().split("-")[0];
    if (Object.hasOwn(CATALOGUE, language)) return language;
  }
  return "en";
}

/** The words of one language, and its ways with numbers, lists and times. */
export class Texts {
  #texts;
  #plural;
  #number;
  #list;
  #time;
  #day;
  #minute = { from: 0, text: "" };

  /** `locale` says how times are written: the reader's own, where it is of the same language. */
  constructor(language, locale = language) {
    this.language = language;
    this.#texts = CATALOGUE[language];
    this.#plural = new Intl.PluralRules(language);
    this.#number = new Intl.NumberFormat(locale);
    this.#list = new Intl.ListFormat(locale, { type: "conjunction" });
    this.#time = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
    this.#day = new Intl.DateTimeFormat(locale, { dateStyle: "full" });
  }

  /** Whether there is a text of that name. */
  has(key) {
    return Object.hasOwn(this.#texts, key);
  }

  /** Return a text with its values put in. They are text, too: nothing here is ever markup. */
  say(key, values = {}) {
    let text = this.#texts[key];
    if (typeof text === "object") text = text[this.#plural.select(values.count)] ?? text.other;
    return text.replace(/\{(\w+)\}/g, (_, name) =>
      name === "count" ? this.#number.format(values.count) : String(values[name]),
    );
  }

  /** Return a text, or the group's `other` where a newer service gave a word that is not known here. */
  sayOr(key, values) {
    return this.say(this.has(key) ? key : `${key.split(".")[0]}.other`, values);
  }

  /** Return names in a row: "anna, bruno and 37 more". */
  names(names, count) {
    const more = count - names.length;
    const all = more > 0 ? [...names, this.say("log.and_more", { count: more })] : names;
    return this.#list.format(all);
  }

  /** Return the time of day. Most lines are of the same minute as the one before. */
  time(at) {
    const from = at - (at % 60_000);
    if (from !== this.#minute.from) this.#minute = { from, text: this.#time.format(at) };
    return this.#minute.text;
  }

  /** Return the day. */
  day(at) {
    return this.#day.format(at);
  }
}
