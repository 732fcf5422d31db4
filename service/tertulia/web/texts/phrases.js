/**
 * The words of one language, and its ways with numbers and times.
 *
 * `{name}` in a text stands for a value. A text that depends on a number `{count}` is an object with
 * the forms that the language has.
 */

/**
 * @typedef {keyof typeof LANGUAGES} Language
 * @typedef {{ [form in Intl.LDMLPluralRule]?: string } & { other: string }} Forms
 * @typedef {{ readonly [name: string]: string | number | null | undefined }} Values
 */

/** What the languages that there are texts in are called in themselves. */
export const LANGUAGES = Object.freeze({
  de: "Deutsch",
  en: "English",
  es: "Español",
  fr: "Français",
  it: "Italiano",
});

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
  return language !== undefined && Object.hasOwn(LANGUAGES, language);
}

/** @template {{ readonly [key in keyof W]: string | Forms }} W */
export class Phrases {
  #words;
  #plural;
  #number;
  #list;
  #time;
  #day;
  #moment;
  #minute = { from: 0, text: "" };

  /**
   * `locale` says how times are written: the reader's own, where it is of the same language.
   * @param {Partial<W>} words those that are there so far
   * @param {Language} language
   * @param {string} locale
   */
  constructor(words, language, locale = language) {
    this.language = language;
    this.#words = /** @type {W} */ (words); // nothing speaks before its words are there
    this.#plural = new Intl.PluralRules(language);
    this.#number = new Intl.NumberFormat(locale);
    this.#list = new Intl.ListFormat(locale, { type: "conjunction" });
    this.#time = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
    this.#day = new Intl.DateTimeFormat(locale, { dateStyle: "full" });
    this.#moment = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
  }

  /**
   * Learn more words.
   * @param {Partial<W>} words
   */
  add(words) {
    this.#words = { ...this.#words, ...words };
  }

  /**
   * Whether there is a text of that name.
   * @param {string} key
   * @returns {key is keyof W & string}
   */
  has(key) {
    return Object.hasOwn(this.#words, key);
  }

  /**
   * Return a text with its values put in: `count` is a number, `until` a time, and whatever else is text.
   * Nothing here is ever markup.
   * @param {keyof W & string} key
   * @param {Values} values
   */
  say(key, values = {}) {
    const count = Number(values.count);
    /** @type {string | Forms} */
    let text = this.#words[key];
    if (typeof text === "object") text = text[this.#plural.select(count)] ?? text.other;
    return text.replace(/\{(\w+)\}/g, (_, name) => {
      if (name === "count") return this.#number.format(count);
      return name === "until" ? this.#moment.format(Number(values.until)) : String(values[name]);
    });
  }

  /**
   * Return a text, or its group's `other` where a newer service gave a word that is not known here.
   * @param {string} key
   * @param {Values} values
   */
  sayOr(key, values) {
    if (this.has(key)) return this.say(key, values);
    const [group] = key.split(".");
    return this.say(/** @type {keyof W & string} */ (`${group}.other`), values);
  }

  /**
   * Return names in a row.
   * @param {string[]} names
   */
  list(names) {
    return this.#list.format(names);
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
