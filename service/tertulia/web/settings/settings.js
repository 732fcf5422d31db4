/** What somebody has set for this browser. It stays in the browser; the service never learns of it. */

/** @typedef {Pick<Storage, "getItem" | "setItem">} Shelf */

/** What can be set, and to what. What comes first holds until somebody sets something else. */
export const CHOICES = Object.freeze({
  sound: /** @type {const} */ (["off", "on"]),
  notifications: /** @type {const} */ (["off", "who", "words"]),
  times: /** @type {const} */ (["on", "off"]),
  traffic: /** @type {const} */ (["on", "off"]),
  density: /** @type {const} */ (["roomy", "dense"]),
  theme: /** @type {const} */ (["system", "light", "dark"]),
  language: /** @type {const} */ (["browser", "de", "en", "es", "fr", "it"]),
});

/**
 * @typedef {keyof typeof CHOICES} Setting
 * @typedef {{ [setting in Setting]: (typeof CHOICES)[setting][number] }} Values
 */

const KEY = "tertulia.settings";

/** All settings, as they are now. They are the same in all windows: see `reload`. */
export class Settings {
  #shelf;
  /** @type {Values} */
  #values;
  /** @type {(() => void)[]} */
  #listeners = [];

  /**
   * `shelf` gives what they are kept in; where a browser forbids that, they hold for this window.
   * @param {() => Shelf} shelf
   */
  constructor(shelf) {
    this.#shelf = shelf;
    this.#values = this.#read();
  }

  /**
   * @template {Setting} Name
   * @param {Name} name
   * @returns {Values[Name]}
   */
  get(name) {
    return this.#values[name];
  }

  /**
   * Set something, and keep it. What is no choice is not taken.
   * @param {Setting} name
   * @param {string} value
   */
  set(name, value) {
    if (!isChoice(name, value) || this.#values[name] === value) return;
    this.#values = { ...this.#values, [name]: value };
    try {
      this.#shelf().setItem(KEY, JSON.stringify(this.#values));
    } catch {
      // The browser forbids it, or is full: it holds for this window.
    }
    this.#tell();
  }

  /** Read again what is kept: another window has set something. */
  reload() {
    this.#values = this.#read();
    this.#tell();
  }

  /**
   * Call this whenever something is set.
   * @param {() => void} listener
   */
  onChange(listener) {
    this.#listeners.push(listener);
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }

  /** @returns {Values} */
  #read() {
    /** @type {Record<string, unknown>} */
    let kept = {};
    try {
      kept = JSON.parse(this.#shelf().getItem(KEY) ?? "{}") ?? {};
    } catch {
      // Nothing of use is kept.
    }
    const values = Object.entries(CHOICES).map(([name, choices]) => {
      const value = kept[name];
      return [name, isChoice(/** @type {Setting} */ (name), value) ? value : choices[0]];
    });
    return Object.fromEntries(values);
  }
}

/**
 * @param {Setting} name
 * @param {unknown} value
 */
function isChoice(name, value) {
  /** @type {readonly unknown[]} */
  const choices = CHOICES[name];
  return choices.includes(value);
}
