/**
 * Calls the reader who looks elsewhere: by a notification, a sound, or both. None is there by default.
 *
 * A notification says who wrote, and what only where that was allowed: a screen is seen by others, too.
 */

/**
 * @import { Room } from "../chat/room.js"
 * @import { Said, Whispered } from "../chat/transcript.js"
 * @import { Settings } from "../settings/settings.js"
 * @import { Texts } from "../texts/texts.js"
 */

/** Milliseconds between two sounds. */
const QUIET = 3_000;
/** The two notes of the sound, in hertz, and how many seconds each takes. */
const NOTES = Object.freeze([660, 880]);
const NOTE = 0.12;
/** How loud: 1 is as loud as there is. */
const VOLUME = 0.08;

export class Caller {
  #settings;
  #texts;
  #onAnswer;
  #onDenied;
  /** @type {AudioContext | null} */
  #audio = null;
  #soundedAt = -Infinity;

  /**
   * `onAnswer` is called with the call whose notification was clicked, `onDenied` when the browser does
   * not allow notifications: they are off then.
   * @param {object} options
   * @param {Settings} options.settings
   * @param {Texts} options.texts
   * @param {(call: Said | Whispered, room: Room) => void} options.onAnswer
   * @param {() => void} options.onDenied
   */
  constructor({ settings, texts, onAnswer, onDenied }) {
    this.#settings = settings;
    this.#texts = texts;
    this.#onAnswer = onAnswer;
    this.#onDenied = onDenied;
  }

  /**
   * Call the reader, for what came in a room. `now` is in milliseconds, on any clock.
   * @param {Said | Whispered} call
   * @param {Room} room
   * @param {number} now
   */
  call(call, room, now) {
    if (this.#settings.get("sound") === "on" && now - this.#soundedAt >= QUIET) {
      this.#soundedAt = now;
      this.#sound();
    }
    if (this.#settings.get("notifications") !== "off") this.#notify(call, room);
  }

  /** Ask for what a browser gives only when it is asked for: in the moment in which somebody sets it. */
  prepare() {
    if (this.#settings.get("sound") === "on") this.#context().resume();
    if (this.#settings.get("notifications") === "off") return;
    if (!("Notification" in globalThis)) this.#denied();
    else if (Notification.permission !== "granted") {
      Notification.requestPermission().then((given) => {
        if (given !== "granted") this.#denied();
      });
    }
  }

  #denied() {
    this.#settings.set("notifications", "off");
    this.#onDenied();
  }

  /**
   * @param {Said | Whispered} call
   * @param {Room} room
   */
  #notify(call, room) {
    if (!("Notification" in globalThis) || Notification.permission !== "granted") return;
    const title = room.callWords(this.#texts, call);
    const isShown = this.#settings.get("notifications") === "words";
    // One for each person, in each room: the next replaces it.
    const options = {
      tag: `tertulia ${call.nickname} ${room.sign}`,
      icon: "icon.svg",
      body: isShown ? call.text : "",
    };
    try {
      const shown = new Notification(title, options);
      shown.onclick = () => {
        shown.close();
        window.focus();
        this.#onAnswer(call, room);
      };
    } catch {
      // Android has them only from a service worker, if one is there.
      navigator.serviceWorker?.getRegistration().then((it) => it?.showNotification(title, options));
    }
  }

  #sound() {
    const audio = this.#context();
    audio.resume(); // it stands still until somebody has touched the page
    const volume = new GainNode(audio, { gain: VOLUME });
    volume.connect(audio.destination);
    for (const [index, frequency] of NOTES.entries()) {
      const note = new OscillatorNode(audio, { frequency });
      note.connect(volume);
      note.start(audio.currentTime + index * NOTE);
      note.stop(audio.currentTime + (index + 1) * NOTE);
    }
  }

  #context() {
    this.#audio ??= new AudioContext();
    return this.#audio;
  }
}
