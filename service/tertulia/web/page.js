/** Wires the page: the parts of the document, the session behind them, the connection below it. */

import { Title } from "./calls/title.js";
import { Asking } from "./dialogs/asking.js";
import { Late } from "./dialogs/late.js";
import { Menu } from "./dialogs/menu.js";
import { translate } from "./document/element.js";
import { Entrance } from "./entrance/entrance.js";
import { Announcer } from "./log/announcer.js";
import { Log } from "./log/log.js";
import { People } from "./people/people.js";
import { roomNamed } from "./rooms/names.js";
import { Connection } from "./session/connection.js";
import { fold } from "./session/frames.js";
import * as memory from "./session/memory.js";
import { Session } from "./session/session.js";
import { Settings } from "./settings/settings.js";
import { chooseLanguage } from "./texts/phrases.js";
import { load, loadDialogs, Texts } from "./texts/texts.js";
import { Composer } from "./writing/composer.js";
import { commandOf, sayText } from "./writing/lines.js";
import { Picker } from "./writing/picker.js";

/**
 * @import { Room } from "./chat/room.js"
 * @import { Line, Numbered } from "./chat/transcript.js"
 * @import { Key } from "./texts/texts.js"
 * @import { Complaint } from "./writing/commands.js"
 */

/** Of so many times what it takes to show something, one is spent on it; the rest is for the reader. */
const REST = 5;
/** Milliseconds that what has changed waits for being shown, at most. */
const MAX_PAUSE = 250;
/** Milliseconds between two looks at who is in the room: names that dance can't be picked. */
const ROOM_EVERY = 250;
/** Milliseconds after which one looks again whether a mute has ended: a longer time no timer takes. */
const LOOK_EVERY = 3_600_000;
/** Milliseconds between two times that a hidden page writes down where it stands. */
const SAVE_EVERY = 1_000;
/** What the browser's history has where the page is loaded anew for the settings. */
const AT_LANGUAGE = "language";

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

const settings = new Settings(() => localStorage);
const language = wantedLanguage();
const locale = navigator.languages.find((tag) => tag.split("-")[0] === language);
const texts = new Texts(await load(language), language, locale);
const session = new Session();
const { chat } = session;

const connection = new Connection(session, {
  url: socketUrl(),
  isForeign: async (url) => (await origin.attempt())?.isForeign(url) ?? false,
  onChange: changed,
});
/** @type {typeof connection.tell} */
const tell = (step) => connection.tell(step);

const asking = new Asking({
  dialog: partAs("asking", HTMLDialogElement),
  title: part("asking-title"),
  text: part("asking-text"),
  choices: part("asking-choices"),
  texts,
});
const wordless = { asking, texts };
const means = { ...wordless, spell, put };
const help = new Late(
  means,
  () => import("./dialogs/help.js"),
  ({ Help }) => new Help({ partAs, texts }),
);
const origin = new Late(
  means,
  () => import("./session/origin.js"),
  (it) => it,
);
new Menu({ button: part("menu-button"), list: part("menu") });

const questions = new Late(
  means,
  () => import("./dialogs/questions.js"),
  ({ Questions }) => new Questions({ asking, session, texts }),
);

const account = new Late(
  means,
  () => import("./account/dialog.js"),
  ({ AccountDialog }) =>
    new AccountDialog({
      partAs,
      session,
      asking,
      texts,
      onAsk: (frame) => tell((it) => it.askAccount(frame)),
    }),
);

const signIn = new Late(
  means,
  () => import("./entrance/sign-in.js"),
  (it) => it,
);

const entrance = new Entrance({
  parts: {
    form: part("enter-form"),
    name: partAs("name", HTMLInputElement),
    password: partAs("password", HTMLInputElement),
    enter: part("enter"),
    cancel: part("cancel"),
    progress: part("enter-progress"),
    complaint: part("complaint"),
    passwordComplaint: part("password-complaint"),
    free: part("free"),
    news: part("news"),
  },
  texts,
  onEnter: (name, password) => tell((it, now) => it.enter(name, password, now)),
  onCancel: () => tell((it, now) => it.leave(now)),
});

const copying = new Late(
  wordless,
  () => import("./log/copying.js"),
  (it) => it,
);

const log = new Log({
  scroller: part("scroller"),
  list: part("log"),
  pendingList: part("pending"),
  chat,
  texts,
  copying,
  onMove: schedule,
  onTop: lookBack,
  onName,
  onModerated: () => void moderating.attempt(),
});

const title = new Title({ icon: partAs("icon", HTMLLinkElement), texts });

const caller = new Late(
  wordless,
  () => import("./calls/caller.js"),
  ({ Caller }) =>
    new Caller({
      settings,
      texts,
      onAnswer: (call, room) => {
        show(room);
        if (call.kind === "whispered") writeTo(call.nickname);
      },
      onDenied: () => {
        // Where it was set in another window, this one has no such dialog yet.
        const hint = document.getElementById("settings-hint");
        if (hint !== null) hint.textContent = texts.say("settings.notifications_denied");
      },
    }),
);

const announcer = new Announcer({
  list: part("log"),
  status: part("summary"),
  log,
  chat,
  texts,
});

const commands = new Late(
  means,
  () => import("./writing/commands.js"),
  (it) => it,
);

const suggestions = new Late(
  means,
  () => {
    // Who writes a sign may be writing a command, and may have lost the connection when it is done.
    void commands.attempt();
    return import("./writing/suggestions.js");
  },
  ({ Suggestions }) =>
    new Suggestions({
      field: partAs("text", HTMLTextAreaElement),
      list: part("suggestions"),
      status: part("suggestions-status"),
      chat,
      texts,
      loadEmoji: () => import("./writing/emoji.js"),
      askRooms: () => tell((it) => it.askRooms()),
    }),
);

const composer = new Composer({
  form: part("composer"),
  field: partAs("text", HTMLTextAreaElement),
  hint: part("text-hint"),
  texts,
  suggestions,
  onSend: (text) => {
    const written = commandOf(text);
    return written === null ? sayText(picker.value, text, deeds.say) : carryOut(written);
  },
});

const recipients = new Late(
  means,
  () => import("./writing/recipients.js"),
  ({ Recipients }) =>
    new Recipients({
      input: partAs("recipient", HTMLInputElement),
      list: part("recipients"),
      picker,
      chat,
      texts,
    }),
);

const picker = new Picker({
  input: partAs("recipient", HTMLInputElement),
  hint: part("recipient-hint"),
  chat,
  texts,
  recipients,
  onChange: () => {
    composer.address(picker.value, chat.isOwn(picker.value ?? ""), chat.shown.sign);
    picker.render();
    schedule();
  },
  onDone: () => composer.focus(),
});

/** @type {import("./writing/commands.js").Deeds} */
const deeds = {
  say: (to, text) => {
    const { name, reading } = chat.shown;
    const refusal = tell((it, now) => it.write(to, text, now, name));
    if (refusal !== null) return { key: `write.${refusal}` };
    log.toEnd();
    reading.answered();
    return null;
  },
  turnTo: (to) => picker.choose(to),
  recipient: () => picker.value,
  ownName: () => chat.nickname,
  rename,
  leave,
  help: openHelp,
  search: openSearch,
  room: () => chat.shown.name,
  join: openRoom,
  part: partRoom,
  rooms: openRooms,
  topic: (text) => tell((it) => it.moderate({ action: "topic", text })),
};

const search = new Late(
  means,
  () => import("./search/search.js"),
  ({ Search }) =>
    new Search({
      partAs,
      chat,
      texts,
      onSearch: (text) => tell((it) => it.search(text)),
      onMore: () => tell((it) => it.search()),
      onPick: (place) => {
        sought = place;
        schedule();
      },
    }),
);

const rooms = new Late(
  means,
  () => import("./rooms/rooms.js"),
  ({ Rooms }) =>
    new Rooms({
      partAs,
      chat,
      texts,
      onRoom: show,
      onPart: ({ name }) => partRoom(name),
      onMore: openRooms,
    }),
);

const allRooms = new Late(
  means,
  () => import("./rooms/dialog.js"),
  ({ RoomsDialog }) => new RoomsDialog({ partAs, chat, texts, onRoom: openRoom }),
);

const people = new People({
  list: part("people"),
  more: part("more-people"),
  chat,
  texts,
  onName,
});

const moderating = new Late(
  means,
  () => import("./moderation/moderating.js"),
  ({ Moderating }) =>
    new Moderating({
      asking,
      chat,
      texts,
      act: (act) => tell((it) => it.moderate(act)),
      partAs,
    }),
);

/**
 * A name was clicked, in the log or among the people: that person is written to. A moderator is asked what
 * else there is to do.
 * @param {string} nickname
 * @param {HTMLElement} _button
 * @param {Numbered<Line> | null} line
 */
async function onName(nickname, _button, line = null) {
  if (!chat.shown.rules.isModerator || (await (await moderating.get())?.meet(nickname, line))) {
    writeTo(nickname);
  }
}

/**
 * Write to somebody from now on.
 * @param {string} nickname
 */
function writeTo(nickname) {
  picker.choose(nickname);
  composer.focus();
}

const panel = new Late(
  means,
  () => import("./settings/panel.js"),
  ({ Panel }) => new Panel({ partAs, settings, texts }),
);

// --- What is shown -------------------------------------------------------------------------------

let isScheduled = false;
let shownAt = 0;
let showingTook = 0;
/** @type {boolean | null} */
let isInChat = null;
/**
 * Whose is what stands in the composer.
 * @type {string | null}
 */
let draftOf = null;
let roomShownAt = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let roomTimer;
/** @type {string | null} */
let roomShown = null;
/** The room whose draft stands in the composer. */
let roomHere = chat.lobby;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let ruleTimer;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let glanceTimer;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let saveTimer;
/**
 * The message that the reader wants to see; what was said since then may have to be read first.
 * @type {import("./chat/past.js").Place | null}
 */
let sought = null;

function changed() {
  turnRoom();
  read();
  if (document.hidden && saveTimer === undefined) {
    saveTimer = setTimeout(whileHidden, SAVE_EVERY);
  }
  schedule();
}

/** Whether the reader sees what comes. */
function isAttending() {
  return isInChat === true && !document.hidden && log.isFollowing;
}

/** Note what has come, and whether its reader saw it come. */
function read() {
  for (const room of chat.all) {
    const isSeen = isAttending() && room === chat.shown;
    for (const call of room.reading.look(room.transcript, isSeen)) {
      if (!isSeen || !document.hasFocus()) caller.now?.call(call, room, performance.now());
    }
    if (room.newSince !== null) room.reading.put(room.newSince);
    room.newSince = null;
  }
}

/** Follow where another room is shown: what is being written stays with its room, and the address tells it. */
function turnRoom() {
  const { shown } = chat;
  if (shown === roomHere) return;
  const isGone = chat.room(roomHere.name) !== roomHere;
  roomHere.draft = draftHere();
  roomHere = shown;
  write(shown.draft);
  // Who is not in any more comes back to where the address leads.
  if (!session.isMember) return;
  if ((roomNamed(location.hash) ?? "") !== shown.name) {
    history[isGone ? "replaceState" : "pushState"](null, "", shown.sign || location.pathname);
  }
  showRoom();
  roomShownAt = -ROOM_EVERY; // who is in it may come next
  sought = null;
}

/** @param {Room} room */
function show(room) {
  if (chat.room(room.name) !== room) return;
  tell((it) => {
    it.chat.shown = room;
  });
}

/**
 * Show a room, and come into it where one is not; an empty name is the lobby's.
 * @param {string} name
 */
function openRoom(name) {
  if (name === "") show(chat.lobby);
  else tell((it) => it.join(name));
  composer.focus();
  void showRooms();
}

function followAddress() {
  if (session.isMember) openRoom(roomNamed(location.hash) ?? "");
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
  draw(shownAt);
  showingTook = performance.now() - shownAt;
}

/** @param {number} now */
function draw(now) {
  const isTurning = isInChat !== session.isMember;
  if (isTurning) turn(session.isMember);
  // What is there when its place appears is not read aloud: it comes with the next frame.
  if (isTurning && isInChat) schedule();
  else showRules();
  asking.render();
  account.now?.render();
  if (!isInChat) {
    entrance.render(session);
    return;
  }
  read();
  const { reading } = chat.shown;
  showHead();
  if (announcer.render(now)) setTimeout(schedule, 1_000);
  log.mark = reading.mark;
  log.render();
  clearTimeout(glanceTimer);
  const left = reading.glance(isAttending() && log.isMarkInSight, now);
  if (left !== null) glanceTimer = setTimeout(schedule, left);
  log.mark = reading.mark;
  showJump();
  showTitle();
  rooms.now?.render();
  allRooms.now?.render();
  suggestions.now?.render();
  search.now?.render();
  showSought();
  if (part("scroller").scrollHeight <= part("scroller").clientHeight) lookBack();
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
    if (draftOf !== fold(chat.nickname)) {
      composer.clear();
      picker.choose(null);
    }
    followAddress();
    showRoom();
    composer.focus();
    void keepParts();
  } else {
    // Who comes back under this name goes on where it was: nothing private becomes public by itself.
    const isGone = session.explanation?.key === "ended.left";
    draftOf = isGone ? null : fold(chat.nickname);
    if (isGone) {
      composer.clear();
      picker.choose(null);
    }
    // What is gone is not to stay in the document, where it is merely hidden.
    log.render();
    search.now?.render();
    showRoom();
    entrance.receive(chat.nickname);
  }
  showTitle();
}

function showHead() {
  const { state } = session;
  const isConnected = state === "inside" || state === "leaving";
  setText(part("own-name"), chat.nickname);
  const status = texts.say(/** @type {Key} */ (`status.${session.status}`));
  setText(part("status"), status);
  const { dataset } = part("chat");
  if (dataset.state !== state) void showRooms(); // what could not be loaded may be there now
  dataset.state = state;
  part("offline").hidden = isConnected && session.status !== "stalled";
  setText(part("offline-text"), part("offline").hidden ? "" : status);
  const count = chat.waiting;
  const isQueueing = !isConnected && count > 0;
  setText(part("queued"), isQueueing ? texts.say("status.queued", { count }) : "");
  part("hurry").hidden = state !== "waiting";
  part("account").hidden = session.account.registration === null;
  part("close").hidden = !chat.isAdministrator;
  const { rules } = chat.shown;
  part("room-button").hidden = !rules.isModerator;
  part("recipient-act").hidden = !rules.isModerator || picker.value === null;
  showTopic(rules.topic);
  partAs("close", HTMLButtonElement).disabled = state !== "inside";
  partAs("leave", HTMLButtonElement).disabled = state === "leaving";
}

/** @param {string} topic */
function showTopic(topic) {
  const shown = part("topic");
  if (shown.textContent === topic) return;
  shown.textContent = topic;
  shown.title = `${texts.say("head.topic")}: ${topic}`;
  shown.hidden = topic === "";
  shown.ariaExpanded = "false";
}

/** Show what keeps the reader from speaking, where it is written; who hears the page is told the topic there. */
function showRules() {
  const { rules } = chat.shown;
  const restraints = rules.restraints(chat.isAccount, Date.now());
  for (const [name, words] of Object.entries(restraints)) {
    setText(part(`rule-${name}`), isInChat && words ? texts.say(words.key, words.values) : "");
  }
  part("rule-account").hidden =
    restraints.accounts === null || session.account.registration === null;
  const topic = isInChat && rules.topic !== "" ? `${texts.say("head.topic")}: ${rules.topic}` : "";
  setText(part("rule-topic"), topic);
  clearTimeout(ruleTimer);
  const left = (rules.mute?.until ?? 0) - Date.now();
  if (isInChat && left > 0) ruleTimer = setTimeout(schedule, Math.min(left, LOOK_EVERY));
}

function roomState() {
  const { name, roster, rules } = chat.shown;
  rules.lapse(Date.now());
  return `${name} ${roster.version} ${rules.version} ${chat.isAdministrator}`;
}

function showRoom() {
  clearTimeout(roomTimer);
  roomTimer = undefined;
  roomShown = roomState();
  roomShownAt = performance.now();
  const count = chat.shown.roster.size;
  setText(part("people-count"), texts.say("head.people", { count }));
  picker.render();
  people.render();
}

/** Show the list of rooms, where there are others than the lobby. */
async function showRooms() {
  if (chat.rooms.size > 0) (await rooms.attempt())?.render();
}

function showJump() {
  part("jump").hidden = log.isFollowing;
  const count = chat.shown.reading.unread;
  setText(part("jump-text"), count > 0 ? texts.say("log.new", { count }) : texts.say("log.to_end"));
}

/** Read what was said before the oldest line that is here, if there is any. */
function lookBack() {
  const { past, transcript } = chat.shown;
  if (past.hasEarlier && !past.isReading && transcript.roomBefore > 0) tell((it) => it.lookBack());
}

function showSought() {
  if (sought === null) return;
  const { past, transcript } = chat.shown;
  const seq = chat.shown.lineOf(sought);
  if (seq === null && past.isTold && !past.isWhole && transcript.roomBefore > 0) {
    lookBack();
  } else {
    sought = null;
    if (seq !== null) log.show(seq);
  }
}

function showTitle() {
  title.show(isInChat ? chat : null);
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

part("leave").addEventListener("click", leave);
part("hurry").addEventListener("click", () => tell((it, now) => it.hurry(now)));
part("jump").addEventListener("click", () => {
  log.toEnd();
  composer.focus();
});
part("topic").addEventListener("click", () => {
  part("topic").ariaExpanded = String(part("topic").ariaExpanded !== "true");
});
for (const id of ["people-button", "more-people"]) {
  part(id).addEventListener("click", () => {
    part("recipient").focus();
    picker.open();
  });
}
part("room-button").addEventListener("click", async () => (await moderating.get())?.openRoom());
part("recipient-act").addEventListener("click", ({ currentTarget }) => {
  if (picker.value !== null) void onName(picker.value, /** @type {HTMLElement} */ (currentTarget));
});
for (const id of ["account", "rule-account"]) {
  part(id).addEventListener("click", async () => (await account.get())?.open());
}
part("help").addEventListener("click", openHelp);
part("all-rooms").addEventListener("click", openRooms);
part("search-button").addEventListener("click", () => openSearch());
for (const it of document.querySelectorAll(".open-settings")) {
  it.addEventListener("click", async () => (await panel.get())?.open());
}

async function openHelp() {
  (await help.get())?.open();
}

async function openSearch(text = "") {
  (await search.get())?.open(text);
}

async function openRooms() {
  tell((it) => it.askRooms());
  (await allRooms.get())?.open();
}

/**
 * Leave a further room.
 * @param {string} name
 */
function partRoom(name) {
  tell((it, now) => it.part(name, now));
}

addEventListener("keydown", (event) => {
  const { key, target, ctrlKey, metaKey, altKey, shiftKey } = event;
  const isWriting = target instanceof Element && target.matches("input, textarea, select");
  const isCommand = ctrlKey || metaKey;
  const isSearch = key.toLowerCase() === "k" && isCommand && !altKey && !shiftKey;
  const isHelp = key === "?" ? !isWriting : key === "/" && isCommand;
  if (!isSearch && !isHelp) return;
  if (!isInChat || document.querySelector("dialog[open]") !== null) return;
  event.preventDefault();
  if (isSearch) void openSearch();
  else void openHelp();
});
part("close").addEventListener("click", async () => {
  if (await (await questions.get())?.toClose()) tell((it, now) => it.closeChat(now));
});

/** Offer to sign in where there is an issuer; enter, if this page was opened by it. */
async function offerSignIn() {
  const told = document.querySelector("meta[name=issuer]");
  if (!(told instanceof HTMLMetaElement)) return;
  const onToken = (/** @type {string} */ token) => {
    if (!session.isMember) tell((it, now) => it.enterSigned(token, now));
  };
  await (await signIn.get())?.offerSignIn(told, { partAs, entrance, texts, onToken });
}

/**
 * Do a command that was written.
 * @param {{ word: string, rest: string }} written
 * @returns {Promise<Complaint>}
 */
async function carryOut(written) {
  const it = await commands.attempt();
  return it === null ? { key: "late.title" } : it.carryOut(written, deeds);
}

/**
 * Come in under another name, after asking: the service knows no other way than out and in.
 * @param {string} name
 * @returns {Promise<Complaint>}
 */
async function rename(name) {
  const isSure = await (await questions.get())?.toRename(name);
  if (!isSure) return { key: "rename.kept", values: { name: chat.nickname } };
  tell((it, now) => it.rename(name, now));
  return null;
}

/** Go, after asking: the log on the page goes with it. */
async function leave() {
  const isSure = await asking.ask({
    title: texts.say("leave.title"),
    text: texts.say("leave.text"),
    confirm: texts.say("head.leave"),
    cancel: texts.say("leave.cancel"),
    isGrave: true,
    isStill: () => session.isMember,
  });
  if (isSure) tell((it, now) => it.leave(now));
}

// --- Another page after this one, another network ------------------------------------------------

function save() {
  const snapshot = session.snapshot();
  if (snapshot === null) memory.forget(sessionStorage);
  else {
    chat.shown.draft = draftHere();
    const rooms = Object.fromEntries(
      chat.all.map((it) => [it.name, it.talk(memory.share(chat.all.length))]),
    );
    memory.leave(sessionStorage, { snapshot, rooms }, Date.now());
  }
}

function draftHere() {
  return { to: picker.intended, text: composer.text };
}

function resume() {
  const left = memory.take(sessionStorage, Date.now());
  if (left === null) return;
  tell((it, now) => it.goOn(left.snapshot, now));
  for (const it of chat.all) it.goOn(left.rooms[it.name]);
  draftOf = fold(chat.nickname);
  write(chat.lobby.draft);
  show(chat.room(roomNamed(location.hash) ?? "") ?? chat.lobby);
  void showRooms();
}

/**
 * Put into the composer what is being written, and to whom.
 * @param {import("./session/memory.js").Draft} draft
 */
function write({ to, text }) {
  picker.choose(to);
  composer.text = text;
}

/** Let the worker keep what is loaded when it is wanted: now that one is in, there is time. */
async function keepParts() {
  const registration = await navigator.serviceWorker?.ready;
  registration?.active?.postMessage("parts");
}

addEventListener("popstate", followAddress);
addEventListener("pagehide", save);
document.addEventListener("freeze", save);
addEventListener("online", () => tell((it, now) => it.networkChanged(now)));
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    save();
  } else {
    memory.forget(sessionStorage);
    tell((it, now) => it.shown(now));
    schedule();
  }
});

// --- What is set ---------------------------------------------------------------------------------

function wantedLanguage() {
  const set = settings.get("language");
  return set === "browser" ? chooseLanguage(navigator.languages) : set;
}

/** Let the style sheet know; another language needs the page anew, which goes on where it was. */
function obey() {
  const { dataset } = document.documentElement;
  for (const name of /** @type {const} */ (["theme", "density", "times", "traffic"])) {
    dataset[name] = settings.get(name);
  }
  if (wantedLanguage() === language) return;
  if (document.querySelector("#settings-dialog[open]")) history.replaceState(AT_LANGUAGE, "");
  location.reload();
}

/** Go on in the settings, if it was there that another language was chosen. */
async function goOnSetting() {
  if (history.state !== AT_LANGUAGE) return;
  history.replaceState(null, "");
  (await panel.get())?.open("language");
}

/** Whether the reader wants to be called. */
function isCalled() {
  return settings.get("sound") === "on" || settings.get("notifications") !== "off";
}

settings.onChange(obey);
settings.onChange(async () => {
  if (isCalled()) (await caller.get())?.prepare();
});
addEventListener("storage", () => settings.reload());

// --- Begin ---------------------------------------------------------------------------------------

function socketUrl() {
  const url = new URL("ws", document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = "";
  url.hash = "";
  return url;
}

/** Load what parts have in common that are loaded when they are wanted: their words and their style. */
async function spell() {
  const [words] = await Promise.all([loadDialogs(language), dress()]);
  texts.add(words);
}

/** @returns {Promise<unknown>} */
function dress() {
  const link = partAs("later", HTMLLinkElement);
  return new Promise((done, fail) => {
    if (link.sheet !== null) done(null);
    link.addEventListener("load", done);
    link.addEventListener("error", fail);
    for (const it of ["later", "stylesheet"]) link.rel = it; // it may be the next try
  });
}

/**
 * Put a dialog into the document, with its words.
 * @param {string} markup
 */
function put(markup) {
  document.body.insertAdjacentHTML("beforeend", markup);
  translate(texts);
}

obey();
// Where a browser allows it: over TLS, or from this machine. It shows the page without a network.
navigator.serviceWorker?.register(`worker.js?language=${language}`).catch(() => {});
document.documentElement.lang = language;
translate(texts);
resume();
showNow();
if (isCalled()) void caller.get();
void goOnSetting();
void offerSignIn();
