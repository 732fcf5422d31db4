/** Wires the page: the parts of the document, the session behind them, the connection below it. */

import { Announcer } from "./announcer.js";
import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { Entrance } from "./entrance.js";
import { fold } from "./frames.js";
import { Log } from "./log.js";
import * as memory from "./memory.js";
import { People } from "./people.js";
import { Picker } from "./picker.js";
import { Session } from "./session.js";
import { chooseLanguage, Texts } from "./texts.js";

/** Of so many times what it takes to show something, one is spent on it; the rest is for the reader. */
const REST = 5;
/** Milliseconds that what has changed waits for being shown, at most. */
const MAX_PAUSE = 250;
/** Milliseconds between two looks at who is in the room: names that dance can't be picked. */
const ROOM_EVERY = 250;
/** Milliseconds between two times that a hidden page writes down where it stands. */
const SAVE_EVERY = 1_000;

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
const closeDialog = partAs("close-dialog", HTMLDialogElement);

const language = chooseLanguage(navigator.languages);
const locale = navigator.languages.find((tag) => tag.split("-")[0] === language);
const texts = new Texts(language, locale);
const session = new Session();
const { chat } = session;

const connection = new Connection(session, { url: socketUrl(), onChange: changed });
/** @type {typeof connection.tell} */
const tell = (step) => connection.tell(step);

const entrance = new Entrance({
  parts: {
    form: part("enter-form"),
    name: partAs("name", HTMLInputElement),
    password: partAs("password", HTMLInputElement),
    enter: part("enter"),
    cancel: part("cancel"),
    progress: part("enter-progress"),
    complaint: part("complaint"),
    news: part("news"),
  },
  texts,
  onEnter: (name, password) => tell((it, now) => it.enter(name, password, now)),
  onCancel: () => tell((it, now) => it.leave(now)),
});

const log = new Log({
  scroller: part("scroller"),
  list: part("log"),
  pendingList: part("pending"),
  chat,
  texts,
  onMove: schedule,
});

const announcer = new Announcer({
  list: part("log"),
  status: part("summary"),
  log,
  chat,
  texts,
});

const composer = new Composer({
  form: part("composer"),
  field: partAs("text", HTMLTextAreaElement),
  hint: part("text-hint"),
  texts,
  onSend: (text) => {
    const refusal = tell((it, now) => it.write(picker.value, text, now));
    if (refusal === null) log.toEnd();
    return refusal;
  },
});

const picker = new Picker({
  input: partAs("recipient", HTMLInputElement),
  list: part("recipients"),
  hint: part("recipient-hint"),
  chat,
  texts,
  onChange: () => {
    composer.address(picker.value, fold(picker.value ?? "") === fold(chat.nickname));
    picker.render();
  },
  onDone: () => composer.focus(),
});

const people = new People({
  list: part("people"),
  more: part("more-people"),
  chat,
  texts,
  onPick: (nickname) => {
    picker.choose(nickname);
    composer.focus();
  },
});

// --- What is shown -------------------------------------------------------------------------------

let isScheduled = false;
let shownAt = 0;
let showingTook = 0;
/** @type {boolean | null} */
let isInChat = null;
let roomShownAt = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let roomTimer;
/** @type {string | null} */
let roomShown = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let saveTimer;
let seenMessages = 0;

function changed() {
  if (document.hidden && saveTimer === undefined) {
    saveTimer = setTimeout(whileHidden, SAVE_EVERY);
  }
  schedule();
}

function whileHidden() {
  saveTimer = undefined;
  if (!document.hidden) return;
  save();
  showTitle();
}

/** Show what has changed with the next frame; or a few later, where showing takes long. */
function schedule() {
  if (isScheduled) return;
  isScheduled = true;
  const pause = Math.min(MAX_PAUSE, shownAt + showingTook * REST - performance.now());
  if (pause <= 0) requestAnimationFrame(showNow);
  else setTimeout(() => requestAnimationFrame(showNow), pause);
}

function showNow() {
  isScheduled = false;
  shownAt = performance.now();
  show(shownAt);
  showingTook = performance.now() - shownAt;
}

/** @param {number} now */
function show(now) {
  if (isInChat !== session.isMember) turn(session.isMember);
  if (!isInChat) {
    entrance.render(session);
    return;
  }
  showHead();
  if (announcer.render(now)) setTimeout(schedule, 1_000);
  log.render();
  showJump();
  if (roomTimer === undefined && roomShown !== roomState()) {
    roomTimer = setTimeout(showRoom, Math.max(0, roomShownAt + ROOM_EVERY - now));
  }
}

/**
 * Turn from the entrance to the chat, or back.
 * @param {boolean} isIn
 */
function turn(isIn) {
  isInChat = isIn;
  part("entrance").hidden = isIn;
  part("chat").hidden = !isIn;
  if (isIn) {
    entrance.wipe();
    picker.choose(null);
    showRoom();
    composer.focus();
  } else {
    closeDialog.close();
    composer.clear();
    entrance.render(session);
    entrance.receive(chat.nickname);
  }
  showTitle();
}

function showHead() {
  const { state } = session;
  const isConnected = state === "inside" || state === "leaving";
  setText(part("own-name"), chat.nickname);
  const status = textFor(`status.${session.status}`);
  setText(part("status"), status);
  part("chat").dataset.state = state;
  part("offline").hidden = isConnected;
  setText(part("offline-text"), isConnected ? "" : status);
  const count = chat.outbox.size;
  const isQueueing = !isConnected && count > 0;
  setText(part("queued"), isQueueing ? texts.say("status.queued", { count }) : "");
  part("hurry").hidden = state !== "waiting";
  part("close").hidden = !chat.isAdministrator;
  partAs("close", HTMLButtonElement).disabled = state !== "inside";
  partAs("leave", HTMLButtonElement).disabled = state === "leaving";
  if (!chat.isAdministrator || state !== "inside") closeDialog.close();
}

function roomState() {
  return `${chat.roster.version} ${chat.isAdministrator}`;
}

function showRoom() {
  clearTimeout(roomTimer);
  roomTimer = undefined;
  roomShown = roomState();
  roomShownAt = performance.now();
  const count = chat.roster.size;
  setText(part("people-count"), texts.say("head.people", { count }));
  picker.render();
  people.render();
}

function showJump() {
  part("jump").hidden = log.isFollowing;
  const count = log.unread;
  setText(part("jump-text"), count > 0 ? texts.say("log.new", { count }) : texts.say("log.to_end"));
}

function showTitle() {
  const { messages } = chat.transcript;
  if (!document.hidden) seenMessages = messages;
  const count = messages - seenMessages;
  document.title = isInChat && count > 0 ? `(${count}) Tertulia` : "Tertulia";
}

/**
 * @param {HTMLElement} element
 * @param {string} text
 */
function setText(element, text) {
  // Setting the same text again would make a screen reader say it again.
  if (element.textContent !== text) element.textContent = text;
}

// --- What the reader does ------------------------------------------------------------------------

part("leave").addEventListener("click", () => tell((it, now) => it.leave(now)));
part("hurry").addEventListener("click", () => tell((it, now) => it.hurry(now)));
part("jump").addEventListener("click", () => {
  log.toEnd();
  composer.focus();
});
for (const id of ["people-button", "more-people"]) {
  part(id).addEventListener("click", () => {
    part("recipient").focus();
    picker.open();
  });
}
part("close").addEventListener("click", () => {
  part("close-text").textContent = texts.say("close.text", { count: chat.roster.size });
  closeDialog.showModal();
});
part("close-cancel").addEventListener("click", () => closeDialog.close());
part("close-confirm").addEventListener("click", () => {
  closeDialog.close();
  tell((it, now) => it.closeChat(now));
});

// --- Another page after this one, another network ------------------------------------------------

function save() {
  const snapshot = session.snapshot();
  if (snapshot === null) memory.forget(sessionStorage);
  else memory.leave(sessionStorage, { snapshot, lines: lastLines() }, Date.now());
}

function lastLines() {
  return chat.transcript.tail(memory.LINES);
}

function resume() {
  const left = memory.take(sessionStorage, Date.now());
  if (left === null) return;
  for (const line of left.lines) chat.transcript.restore(line);
  tell((it, now) => it.goOn(left.snapshot, now));
}

addEventListener("pagehide", save);
addEventListener("online", () => tell((it, now) => it.networkChanged(now)));
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    save();
  } else {
    memory.forget(sessionStorage);
    showTitle();
    schedule();
  }
});

// --- Begin ---------------------------------------------------------------------------------------

function socketUrl() {
  const url = new URL("ws", document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = "";
  url.hash = "";
  return url;
}

/**
 * Return a text by a key that is not known beforehand.
 * @param {string | null} key
 */
function textFor(key) {
  if (key === null || !texts.has(key)) throw new Error(`there is no text ${key}`);
  return texts.say(key);
}

function translate() {
  document.documentElement.lang = texts.language;
  for (const it of document.querySelectorAll("[data-text]")) {
    it.textContent = textFor(it.getAttribute("data-text"));
  }
  for (const it of document.querySelectorAll("[data-label]")) {
    it.setAttribute("aria-label", textFor(it.getAttribute("data-label")));
  }
  for (const it of document.querySelectorAll("[data-title]")) {
    it.setAttribute("title", textFor(it.getAttribute("data-title")));
  }
}

translate();
resume();
showNow();
