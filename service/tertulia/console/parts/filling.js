/** A dialog with fields to fill in: what they say is what is done, once it is confirmed. */

import { element } from "../../web/document/element.js";

/** @import { Words } from "../texts/words.js" */

/**
 * A field. `choices` are values and words; a `number`, a `text`, `lines` of it, a `password`, or a `check`.
 * @typedef {object} Field
 * @property {string} label
 * @property {"text" | "lines" | "password" | "number" | "choice" | "check"} kind
 * @property {Readonly<Record<string, string>>} [choices]
 * @property {string | number | boolean} [value]
 * @property {boolean} [isRequired]
 * @property {number} [most] letters, or the highest number
 * @property {number} [least]
 * @property {string} [pattern]
 * @property {string} [hint]
 */

/** @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Control */

export class Filling {
  #dialog;
  #form;
  #title;
  #text;
  #fields;
  #confirm;
  /** @type {((isConfirmed: boolean) => void) | null} */
  #answer = null;

  /** @param {Words} texts */
  constructor(texts) {
    this.#title = element("h2", "");
    this.#title.id = "filling-title";
    this.#text = element("p", "asked");
    this.#text.id = "filling-text";
    this.#fields = element("div", "fields");
    this.#confirm = element("button", "primary");
    this.#confirm.value = "confirm";
    const cancel = element("button", "quiet", texts.say("ask.cancel"));
    cancel.type = "button";
    this.#form = element(
      "form",
      "scrolled",
      this.#title,
      this.#text,
      this.#fields,
      element("div", "choices", cancel, this.#confirm),
    );
    this.#form.method = "dialog";
    this.#form.autocomplete = "off";
    this.#dialog = element("dialog", "", this.#form);
    this.#dialog.id = "filling";
    this.#dialog.setAttribute("aria-labelledby", this.#title.id);
    this.#dialog.setAttribute("aria-describedby", this.#text.id);
    document.body.append(this.#dialog);
    cancel.addEventListener("click", () => this.#dialog.close(""));
    // The event comes late: by then there may be another question.
    this.#dialog.addEventListener("close", () => {
      if (!this.#dialog.open) this.#settle(this.#dialog.returnValue === "confirm");
    });
  }

  /**
   * Ask for the values of fields. Null where it is not to be done.
   * @template {Record<string, Field>} Fields
   * @param {{ title: string, text: string, fields: Fields, confirm: string, isGrave?: boolean }} question
   * @returns {Promise<{ [name in keyof Fields]: string } | null>}
   */
  async ask({ title, text, fields, confirm, isGrave = false }) {
    this.#settle(false);
    this.#title.textContent = title;
    this.#text.textContent = text;
    this.#text.hidden = text === "";
    this.#confirm.textContent = confirm;
    this.#confirm.classList.toggle("danger", isGrave);
    const controls = Object.entries(fields).map(([name, it]) => [name, control(name, it)]);
    /** @type {Record<string, Control>} */
    const made = Object.fromEntries(controls);
    this.#fields.replaceChildren(
      ...Object.entries(made).map(([name, it]) => row(it, /** @type {Field} */ (fields[name]))),
    );
    this.#dialog.returnValue = "";
    if (!this.#dialog.open) this.#dialog.showModal();
    Object.values(made)[0]?.focus();
    const isConfirmed = await new Promise((resolve) => {
      this.#answer = resolve;
    });
    const values = Object.entries(made).map(([name, it]) => [name, given(it)]);
    // What was written, perhaps a password, does not stay in the document.
    this.#fields.replaceChildren();
    return isConfirmed ? Object.fromEntries(values) : null;
  }

  /** Take the question back. */
  close() {
    if (this.#dialog.open) this.#dialog.close("");
  }

  /** @param {boolean} isConfirmed */
  #settle(isConfirmed) {
    this.#answer?.(isConfirmed);
    this.#answer = null;
  }
}

/**
 * @param {string} name
 * @param {Field} field
 * @returns {Control}
 */
function control(name, { kind, choices = {}, value = "", isRequired = false, most, ...more }) {
  const id = `field-${name}`;
  if (kind === "choice") {
    const made = element("select", "");
    for (const [it, words] of Object.entries(choices)) made.add(new Option(words, it));
    made.value = String(value || Object.keys(choices)[0]);
    made.id = id;
    return made;
  }
  const made = kind === "lines" ? element("textarea", "") : element("input", "");
  made.id = id;
  made.required = isRequired;
  made.autocomplete = kind === "password" ? "new-password" : "off";
  if (made instanceof HTMLTextAreaElement) made.rows = 3;
  else if (kind === "check") {
    made.type = "checkbox";
    made.checked = value === true;
    return made;
  } else {
    made.type = kind === "lines" ? "text" : kind;
    made.autocapitalize = "none";
    made.spellcheck = false;
    if (more.pattern !== undefined) made.pattern = more.pattern;
    if (kind === "number") {
      made.min = String(more.least ?? 0);
      made.max = String(most ?? "");
    } else if (more.least !== undefined) made.minLength = more.least;
  }
  if (kind !== "number" && most !== undefined) made.maxLength = most;
  if (kind === "text" || kind === "lines") made.dir = "auto";
  made.value = String(value);
  return made;
}

/**
 * @param {Control} control
 * @param {Field} field
 */
function row(control, { kind, label, hint }) {
  const words = element("label", "", label);
  words.htmlFor = control.id;
  const made = element("div", kind === "check" ? "field is-check" : "field");
  made.append(...(kind === "check" ? [control, words] : [words, control]));
  if (hint !== undefined) {
    const told = element("p", "hint", hint);
    told.id = `${control.id}-hint`;
    control.setAttribute("aria-describedby", told.id);
    made.append(told);
  }
  return made;
}

/** @param {Control} control */
function given(control) {
  if (control instanceof HTMLInputElement && control.type === "checkbox") {
    return control.checked ? "on" : "";
  }
  return control.type === "password" ? control.value : control.value.trim();
}
