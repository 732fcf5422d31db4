/** The dialog in which one makes one's nickname an account, and changes or deletes it. */

/**
 * @import { Asking } from "../dialogs/asking.js"
 * @import { PartAs } from "../dialogs/late.js"
 * @import { Session } from "../session/session.js"
 * @import { AccountFrame } from "../session/frames.js"
 * @import { Key, Texts } from "../texts/texts.js"
 */

/**
 * @typedef {object} Parts
 * @property {HTMLDialogElement} dialog
 * @property {HTMLElement} text
 * @property {HTMLElement} answer
 * @property {HTMLFormElement} register
 * @property {HTMLElement} invited
 * @property {HTMLInputElement} invitation
 * @property {HTMLInputElement} password
 * @property {HTMLElement} own
 * @property {HTMLFormElement} change
 * @property {HTMLInputElement} old
 * @property {HTMLInputElement} fresh
 * @property {HTMLButtonElement} logOut
 * @property {HTMLFormElement} remove
 * @property {HTMLInputElement} proof
 */

export const MARKUP = `
<dialog id="account-dialog" aria-labelledby="account-title" aria-describedby="account-text">
  <div class="scrolled">
    <h2 id="account-title" data-text="account.title"></h2>
    <p id="account-text"></p>
    <p id="account-answer" role="status" tabindex="-1"></p>
    <form id="account-register" class="account">
      <div class="field">
        <label for="account-password" data-text="account.password"></label>
        <input id="account-password" type="password" required minlength="3" maxlength="1000"
               autocomplete="new-password">
      </div>
      <div id="account-invited" class="field">
        <label for="account-invitation" data-text="account.code"></label>
        <input id="account-invitation" maxlength="64" autocomplete="off" autocapitalize="none"
               autocorrect="off" spellcheck="false">
      </div>
      <button class="primary" data-text="account.register"></button>
    </form>
    <div id="account-own" class="account">
      <form id="account-change" class="account">
        <div class="field">
          <label for="account-old" data-text="account.old"></label>
          <input id="account-old" type="password" required maxlength="1024"
                 autocomplete="current-password">
        </div>
        <div class="field">
          <label for="account-new" data-text="account.new"></label>
          <input id="account-new" type="password" required minlength="3" maxlength="1000"
                 autocomplete="new-password">
        </div>
        <button class="primary" data-text="account.change"></button>
      </form>
      <div class="account">
        <p id="account-log-out-hint" class="hint" data-text="account.log_out_hint"></p>
        <button id="account-log-out" type="button" class="quiet" data-text="account.log_out"
                aria-describedby="account-log-out-hint"></button>
      </div>
      <form id="account-delete" class="account">
        <div class="field">
          <label for="account-proof" data-text="account.proof"></label>
          <input id="account-proof" type="password" required maxlength="1024"
                 autocomplete="current-password">
        </div>
        <button class="quiet danger" data-text="account.delete"></button>
      </form>
    </div>
    <form method="dialog" class="choices">
      <button class="quiet done" data-text="account.close"></button>
    </form>
  </div>
</dialog>
`;

/**
 * @param {PartAs} partAs
 * @returns {Parts}
 */
function found(partAs) {
  return {
    dialog: partAs("account-dialog", HTMLDialogElement),
    text: partAs("account-text", HTMLElement),
    answer: partAs("account-answer", HTMLElement),
    register: partAs("account-register", HTMLFormElement),
    invited: partAs("account-invited", HTMLElement),
    invitation: partAs("account-invitation", HTMLInputElement),
    password: partAs("account-password", HTMLInputElement),
    own: partAs("account-own", HTMLElement),
    change: partAs("account-change", HTMLFormElement),
    old: partAs("account-old", HTMLInputElement),
    fresh: partAs("account-new", HTMLInputElement),
    logOut: partAs("account-log-out", HTMLButtonElement),
    remove: partAs("account-delete", HTMLFormElement),
    proof: partAs("account-proof", HTMLInputElement),
  };
}

export class AccountDialog {
  #parts;
  #session;
  #texts;
  #asking;
  /** @type {(frame: AccountFrame) => boolean} */
  #onAsk;
  #shown = "";

  /**
   * @param {object} options
   * @param {PartAs} options.partAs
   * @param {Session} options.session
   * @param {Asking} options.asking
   * @param {Texts} options.texts
   * @param {(frame: AccountFrame) => boolean} options.onAsk
   */
  constructor({ partAs, session, asking, texts, onAsk }) {
    const parts = found(partAs);
    this.#parts = parts;
    this.#session = session;
    this.#asking = asking;
    this.#texts = texts;
    this.#onAsk = onAsk;
    const { register, change, logOut, remove, password, invitation, old, fresh } = parts;
    register.addEventListener("submit", (event) => {
      event.preventDefault();
      const code = invitation.value.trim();
      const given = { type: /** @type {const} */ ("register"), password: password.value };
      this.#ask(code === "" ? given : { ...given, invitation: code });
    });
    change.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#ask({ type: "change_password", old: old.value, new: fresh.value });
    });
    logOut.addEventListener("click", () => this.#ask({ type: "log_out_everywhere" }));
    remove.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#remove();
    });
    parts.dialog.addEventListener("close", () => this.#wipe());
  }

  /** Open it. */
  open() {
    this.#session.account.read();
    this.#shown = "";
    this.render();
    const { dialog, password, old } = this.#parts;
    if (!dialog.open) dialog.showModal();
    const { isOne, registration } = this.#session.account;
    // Not what is said, though it comes first.
    const done = dialog.querySelector(".done");
    if (isOne) old.focus();
    else if (registration !== "closed") password.focus();
    else if (done instanceof HTMLElement) done.focus();
  }

  /** Show how it stands. */
  render() {
    const { dialog, text, answer, register, invited, own } = this.#parts;
    const { account, chat, state } = this.#session;
    if (dialog.open && !this.#session.isMember) dialog.close();
    const { isOne, registration, isUnderway } = account;
    const isAway = state !== "inside";
    const shown = JSON.stringify([isOne, registration, isUnderway, account.answer, isAway]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const isClosed = registration === "closed";
    const key = isOne ? "account.own" : isClosed ? "account.closed" : "account.guest";
    text.textContent = this.#texts.say(key, { name: chat.nickname });
    // What is answered then says the same.
    text.hidden = account.answer?.action === "register" && isOne;
    const had = document.activeElement;
    register.hidden = isOne || isClosed;
    invited.hidden = registration !== "invited";
    this.#parts.invitation.required = registration === "invited";
    own.hidden = !isOne;
    for (const it of dialog.querySelectorAll("button:not(.done)")) {
      /** @type {HTMLButtonElement} */ (it).disabled = isUnderway || isAway;
    }
    answer.textContent = isUnderway ? this.#texts.say("account.underway") : this.#told();
    const { outcome } = account.answer ?? {};
    answer.classList.toggle("complaint", outcome !== undefined && outcome !== "done");
    if (outcome === "done") this.#wipe();
    if (dialog.open && answer.textContent !== "") answer.scrollIntoView({ block: "nearest" });
    // What one was in may be gone, or at rest: the focus stays in the dialog.
    if (dialog.open && had !== document.activeElement) answer.focus();
    if (dialog.open && (outcome === "done" || had?.closest("[hidden]"))) answer.focus();
  }

  #told() {
    const { answer } = this.#session.account;
    if (answer === null) return "";
    const { action, outcome, seconds = 0 } = answer;
    const key = outcome === "done" ? `account.done.${action}` : `account.${outcome}`;
    const known = /** @type {Key} */ (this.#texts.has(key) ? key : "account.other");
    const minutes = Math.max(1, Math.ceil(seconds / 60));
    return this.#texts.say(known, { name: this.#session.chat.nickname, count: minutes, outcome });
  }

  async #remove() {
    const password = this.#parts.proof.value;
    const name = this.#session.chat.nickname;
    const isSure = await this.#asking.ask({
      title: this.#texts.say("account.delete_title", { name }),
      text: this.#texts.say("account.delete_text", { name }),
      confirm: this.#texts.say("account.delete"),
      isGrave: true,
      isStill: () => this.#session.state === "inside",
    });
    if (isSure) this.#ask({ type: "delete_account", password });
  }

  /** @param {AccountFrame} frame */
  #ask(frame) {
    this.#onAsk(frame);
    this.render();
  }

  #wipe() {
    const { password, invitation, old, fresh, proof } = this.#parts;
    for (const it of [password, invitation, old, fresh, proof]) it.value = "";
  }
}
