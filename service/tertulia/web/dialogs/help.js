/** What keys and commands there are. */

import { element } from "../document/element.js";
import { COMMANDS } from "../writing/commands.js";

/**
 * @import { PartAs } from "./late.js"
 * @import { Key, Texts } from "../texts/texts.js"
 */

export const MARKUP = `
<dialog id="help-dialog" class="wide" aria-labelledby="help-title">
  <div class="scrolled">
    <h2 id="help-title" data-text="head.help"></h2>
    <div id="help-content" class="help" tabindex="0" role="region" aria-labelledby="help-title"></div>
    <form method="dialog" class="choices">
      <button class="primary" data-text="help.done" autofocus></button>
    </form>
  </div>
</dialog>
`;

/**
 * @satisfies {readonly (readonly [string, Key])[]}
 */
const KEYS = /** @type {const} */ ([
  ["Enter", "key.send"],
  ["Shift + Enter", "key.line"],
  ["Tab", "key.complete"],
  [":wave:", "key.emoji"],
  ["@", "key.name"],
  ["↑", "key.recall"],
  ["//", "key.slash"],
  ["Shift + Tab", "key.recipient"],
  ["End", "key.end"],
  ["Alt + ↑ ↓", "key.rooms"],
  ["Enter", "key.moderate"],
  ["Esc", "key.close"],
  ["?", "key.help"],
  ["Ctrl + /", "key.help_writing"],
  ["Ctrl + K", "key.search"],
]);

export class Help {
  #dialog;
  #content;
  #texts;

  /**
   * @param {{ partAs: PartAs, texts: Texts }} options
   */
  constructor({ partAs, texts }) {
    this.#dialog = partAs("help-dialog", HTMLDialogElement);
    this.#content = partAs("help-content", HTMLElement);
    this.#texts = texts;
  }

  open() {
    const say = this.#texts;
    const commands = Object.values(COMMANDS).map(({ usage, help }) => [say.say(usage), help]);
    this.#content.replaceChildren(
      this.#table("help.keys", KEYS),
      this.#table("help.commands", /** @type {[string, Key][]} */ (commands)),
    );
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  /**
   * @param {Key} title
   * @param {readonly (readonly [string, Key])[]} rows
   */
  #table(title, rows) {
    return element(
      "table",
      "keys",
      element("caption", "", this.#texts.say(title)),
      element("tbody", "", ...rows.map(([sign, key]) => this.#row(sign, key))),
    );
  }

  /**
   * @param {string} sign
   * @param {Key} key
   */
  #row(sign, key) {
    const head = element("th", "", element("kbd", "", sign));
    head.scope = "row";
    return element("tr", "", head, element("td", "", this.#texts.say(key)));
  }
}
