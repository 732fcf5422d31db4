/** What all views of the console get and are. */

/**
 * @import { Asking } from "../../web/dialogs/asking.js"
 * @import { Filling } from "../parts/filling.js"
 * @import { News } from "../parts/news.js"
 * @import { Api } from "../service/api.js"
 * @import { Rights } from "../session/rights.js"
 * @import { Words } from "../texts/words.js"
 */

/**
 * What there is to work with while somebody is signed in.
 * @typedef {{ api: Api, rights: Rights, texts: Words, asking: Asking, filling: Filling, news: News }} Means
 */

/**
 * A view: `title` is the page's while it is shown.
 * @typedef {{ title: string, element: HTMLElement, open: () => void, close: () => void }} View
 */

/** Seconds for which somebody may be muted or banned; `never`: for good. */
export const SPANS = Object.freeze({
  600: "span.10m",
  3600: "span.1h",
  86400: "span.1d",
  604800: "span.7d",
  2592000: "span.30d",
  never: "span.never",
});

/**
 * Return the choices of how long.
 * @param {Words} texts
 * @returns {Record<string, string>}
 */
export function spans(texts) {
  return Object.fromEntries(
    Object.entries(SPANS).map(([it, key]) => [it, texts.say(/** @type {any} */ (key))]),
  );
}

/**
 * Return what is sent of a choice of them.
 * @param {string} chosen
 */
export function secondsOf(chosen) {
  return chosen === "never" ? null : Number(chosen);
}
