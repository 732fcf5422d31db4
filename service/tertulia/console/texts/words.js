/** The console's words, in the reader's language. */

/**
 * @import { Forms, Language, Phrases } from "../../web/texts/phrases.js"
 * @import { EN } from "./en.js"
 * @typedef {keyof typeof EN} Key
 * @typedef {{ readonly [key in keyof typeof EN]: string | Forms }} ConsoleWords
 * @typedef {Phrases<ConsoleWords>} Words
 */

/**
 * Return the words of one language. The others are not even loaded.
 * @param {Language} language
 * @returns {Promise<ConsoleWords>}
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
