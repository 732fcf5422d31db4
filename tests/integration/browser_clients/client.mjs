// A client of the dialect browser, from its page: node client.mjs NICKNAME[@ROOM] URL... ; it says what it reads.
import { createInterface } from "node:readline";

const [who, ...urls] = process.argv.slice(2);
const [nickname, room] = who.split("@"); // where it speaks, and what it shows: a room, or the lobby
const unanswered = new Map(); // id → frame
const places = new Map(); // room, undefined for the lobby → how far it has read
let [turn, id, token, socket, isIn] = [0, 0, null, null, false];

const told = (...words) => console.log(...words);
const send = (frame) => isIn && socket.send(JSON.stringify(frame));

function connect() {
  isIn = false;
  socket = new WebSocket(urls[turn++ % urls.length]);
  const goingOn = token && { resume: { token, ...places.get(undefined) } };
  const rooms = room && places.has(room) && { rooms: { [room]: places.get(room) } };
  socket.onopen = () => socket.send(JSON.stringify({ type: "enter", nickname, ...goingOn, ...rooms }));
  socket.onmessage = ({ data }) => take(JSON.parse(data));
  socket.onerror = () => {};
  socket.onclose = ({ code, reason }) => {
    if (code !== 1000 && code !== 4001) return setTimeout(connect, 200);
    told("END", reason);
    process.exit();
  };
}

function take(frame) {
  const isWelcome = frame.type === "welcome" || frame.type === "room";
  if (["events", "missed"].includes(frame.type) || (isWelcome && !frame.resumed)) {
    places.set(frame.room, { epoch: frame.epoch, offset: frame.offset });
  }
  if (frame.type === "welcome") {
    token = frame.token;
    if (room && !places.has(room)) socket.send(JSON.stringify({ type: "join", room }));
  }
  if (frame.room !== room) return;
  if (isWelcome) {
    isIn = true;
    told(frame.resumed ? "BACK" : "IN");
    for (const it of unanswered.keys()) if (it <= frame.done) unanswered.delete(it);
    for (const it of unanswered.values()) send(it);
  } else if (frame.type === "past") {
    for (const it of frame.messages) told("PAST", it.nickname, it.text);
  } else if (frame.type === "events") {
    for (const it of frame.events) if (it.type === "said") told("SAID", it.nickname, it.text);
  } else if (["sent", "kept", "failed"].includes(frame.type)) unanswered.delete(frame.id);
}

createInterface({ input: process.stdin }).on("line", (text) => {
  unanswered.set(++id, { type: "say", id, text, room });
  send(unanswered.get(id));
});
connect();
