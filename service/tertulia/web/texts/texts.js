/** The page's words, in the reader's language. */

import { Phrases } from "./phrases.js";

/**
 * @import { EN_DIALOGS } from "./dialogs/en.js"
 * @import { EN } from "./en.js"
 * @import { Forms, Language } from "./phrases.js"
 */

/**
 * @typedef {keyof typeof EN | keyof typeof EN_DIALOGS} Key
 * @typedef {{ readonly [key in keyof typeof EN]: string | Forms }} Words
 * @typedef {{ readonly [key in keyof typeof EN_DIALOGS]: string | Forms }} DialogWords
 */

/**
 * Return the texts of one language. The others are not even loaded.
 * @param {Language} language
 * @returns {Promise<Words>}
 */
export async function load(language) {
  switch (language) {
    case "de":
      return (await import("./de.js")).DE;
    case "en":
      return (await import("./en.js")).EN;
    case "es":
      return (await import("./es.js")).ES;
    case "fr":
      return (await import("./fr.js")).FR;
    case "it":
      return (await import("./it.js")).IT;
  }
}

/**
 * Return the texts of the dialogs in one language: they come with the first of these.
 * @param {Language} language
 * @returns {Promise<DialogWords>}
 */
export async function loadDialogs(language) {
  switch (language) {
    case "de":
      return (await import("./dialogs/de.js")).DE_DIALOGS;
    case "en":
      return (await import("./dialogs/en.js")).EN_DIALOGS;
    case "es":
      return (await import("./dialogs/es.js")).ES_DIALOGS;
    case "fr":
      return (await import("./dialogs/fr.js")).FR_DIALOGS;
    case "it":
      return (await import("./dialogs/it.js")).IT_DIALOGS;
  }
}

/**
 * The words of the page in one language.
 * @extends {Phrases<Words & DialogWords>}
 */
export class Texts extends Phrases {
  /**
   * Return names in a row: "anna, bruno and 37 more".
   * @param {string[]} names
   * @param {number} count
   */
  names(names, count) {
    const more = count - names.length;
    const all = more > 0 ? [...names, this.say("log.and_more", { count: more })] : names;
    return this.list(all);
  }
}
