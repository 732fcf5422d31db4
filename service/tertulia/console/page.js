/** Wires the console: who is signed in, which view the address names, what is told. */

import { Asking } from "../web/dialogs/asking.js";
import { element, translate } from "../web/document/element.js";
import { chooseLanguage, Phrases } from "../web/texts/phrases.js";
import { Filling } from "./parts/filling.js";
import { detailOf, News } from "./parts/news.js";
import { Api, Problem } from "./service/api.js";
import { Rights } from "./session/rights.js";
import * as token from "./session/token.js";
import { load } from "./texts/words.js";
import { accountsView } from "./views/accounts.js";
import { bansView } from "./views/bans.js";
import { nodesView } from "./views/nodes.js";
import { roomView } from "./views/room.js";
import { roomsView } from "./views/rooms.js";
import { webhooksView } from "./views/webhooks.js";

/**
 * @import { Self } from "./service/bodies.js"
 * @import { Words } from "./texts/words.js"
 * @import { Means, View } from "./views/view.js"
 */

/** What of `#/rooms/ops` leads where; the first that one may see is where one begins. */
const VIEWS = Object.freeze({
  rooms: { key: "rooms.title", isOperated: false, make: roomsView },
  bans: { key: "bans.title", isOperated: true, make: bansView },
  accounts: { key: "accounts.title", isOperated: true, make: accountsView },
  nodes: { key: "nodes.title", isOperated: true, make: nodesView },
  webhooks: { key: "webhooks.title", isOperated: true, make: webhooksView },
});

/**
 * Return an element of the page that is of a certain kind.
 * @template {HTMLElement} Kind
 * @param {string} id
 * @param {new () => Kind} kind
 */
function partAs(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} with the id ${id}`);
  return found;
}

/** @param {string} id */
const part = (id) => partAs(id, HTMLElement);

const language = chooseLanguage(navigator.languages);
const locale = navigator.languages.find((tag) => tag.split("-")[0] === language);
/** @type {Words} */
const texts = new Phrases(await load(language), language, locale);
document.documentElement.lang = language;
translate(texts);

const asking = new Asking({
  dialog: partAs("asking", HTMLDialogElement),
  title: part("asking-title"),
  text: part("asking-text"),
  choices: part("asking-choices"),
  texts,
});
const filling = new Filling(texts);
const news = new News({ done: part("done"), failed: part("failed"), texts });
const field = partAs("token", HTMLInputElement);
const enter = partAs("enter", HTMLButtonElement);
const storage = () => sessionStorage;

/** What there is to work with, while somebody is signed in. @type {Means | null} */
let means = null;
/** @type {View | null} */
let shown = null;
/** The address of what is shown. */
let at = "";

/**
 * Find out whose a token is, and begin; where that is nobody's, say so at the entrance.
 * @param {string} given
 */
async function signIn(given) {
  const api = new Api({
    token: given,
    root: new URL("../v1/", document.baseURI),
    onRefused: ({ message }) => {
      if (means !== null) signOut(texts.say("entrance.refused", { detail: message }));
    },
    onReached: showReached,
  });
  enter.disabled = true;
  try {
    /** @type {Self} */
    const self = await api.get("self");
    const rights = new Rights(self);
    if (!rights.sees) {
      complain(
        texts.say("entrance.sees_nothing", { name: self.name, scopes: self.scopes.join(", ") }),
      );
      return;
    }
    token.keep(storage, given);
    field.value = "";
    means = { api, rights, texts, asking, filling, news };
    begin(self);
  } catch (error) {
    const isWrong = error instanceof Problem && error.status === 401;
    if (isWrong) token.forget(storage);
    complain(isWrong ? texts.say("entrance.wrong") : detailOf(error, texts));
  } finally {
    enter.disabled = false;
  }
}

/** @param {string} text */
function complain(text) {
  part("entrance").hidden = false;
  part("console").hidden = true;
  part("complaint").textContent = text;
  field.setAttribute("aria-invalid", "true");
  field.focus();
}

/** @param {Self} self */
function begin({ name, chat }) {
  part("entrance").hidden = true;
  part("console").hidden = false;
  part("complaint").textContent = part("entrance-news").textContent = "";
  field.removeAttribute("aria-invalid");
  part("own-name").textContent = chat === "main" ? name : `${name} · ${chat}`;
  at = "";
  show();
}

/** @param {string} why */
function signOut(why) {
  token.forget(storage);
  means = null;
  shown?.close();
  shown = null;
  filling.close();
  partAs("asking", HTMLDialogElement).close("");
  part("main").replaceChildren(); // nothing of it stays for who comes next
  part("offline").textContent = "";
  news.clear();
  part("console").hidden = true;
  part("entrance").hidden = false;
  part("entrance-news").textContent = why;
  document.title = texts.say("entrance.title");
  field.focus();
}

/** @param {boolean} isReached */
function showReached(isReached) {
  const text = isReached || means === null ? "" : texts.say("head.unreachable");
  const offline = part("offline");
  if (offline.textContent !== text) offline.textContent = text;
}

/** Show what the address names. */
function show() {
  if (means === null || (shown !== null && location.hash === at)) return;
  const isFirst = at === "";
  at = location.hash;
  const [name = "", room] = steps();
  const view = viewOf(means, name, room);
  if (view === null) {
    // An address that leads nowhere, or where one may not look.
    history.replaceState(null, "", "#/rooms");
    show();
    if (name !== "") news.complain(texts.say("head.no_view"));
    return;
  }
  shown?.close();
  shown = view;
  if (!isFirst) news.clear();
  part("main").replaceChildren(view.element);
  document.title = `${view.title} · ${texts.say("entrance.title")}`;
  showViews(name);
  scrollTo(0, 0);
  view.element.querySelector("h1")?.focus({ preventScroll: true });
  view.open();
}

/** Return the steps of the address. */
function steps() {
  try {
    return location.hash
      .replace(/^#\/?/, "")
      .split("/")
      .map((it) => decodeURIComponent(it));
  } catch {
    return ["?"]; // no address of ours
  }
}

/**
 * @param {Means} given
 * @param {string} name
 * @param {string | undefined} room
 * @returns {View | null}
 */
function viewOf(given, name, room) {
  if (!isView(name)) return null;
  const { isOperated, make } = VIEWS[name];
  if (isOperated && !given.rights.operates) return null;
  if (name === "rooms" && room) return given.rights.covers(room) ? roomView(given, room) : null;
  return make(given);
}

/**
 * @param {string} name
 * @returns {name is keyof typeof VIEWS}
 */
function isView(name) {
  return Object.hasOwn(VIEWS, name);
}

/** @param {string} current */
function showViews(current) {
  const offered = Object.entries(VIEWS).filter(
    ([, it]) => !it.isOperated || means?.rights.operates,
  );
  const items = offered.map(([name, { key }]) => {
    const link = element("a", "", texts.say(/** @type {any} */ (key)));
    link.href = `#/${name}`;
    if (name === current) link.ariaCurrent = "page";
    return element("li", "", link);
  });
  part("views").replaceChildren(...items);
}

part("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  const given = token.tokenIn(field.value);
  if (given === null) complain(texts.say("entrance.wrong"));
  else void signIn(given);
});
part("forget").addEventListener("click", () => signOut(texts.say("entrance.forgotten")));
part("skip").addEventListener("click", () => part("main").focus());
addEventListener("hashchange", show);

const kept = token.kept(storage);
document.title = texts.say("entrance.title");
if (kept === null) {
  part("entrance").hidden = false;
  field.focus();
} else void signIn(kept);
