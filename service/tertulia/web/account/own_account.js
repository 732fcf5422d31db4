/** What one knows of the account of one's own nickname, and what is being done with it. */

/** @import { Frame } from "../session/frames.js" */

/**
 * What came of what one asked for. `unsure`: the connection broke before the service said it.
 * @typedef {{ action: string, outcome: string, seconds?: number }} Answer
 */

export class OwnAccount {
  /** Whether one's nickname is one's account. */
  isOne = false;
  /**
   * Who may make an account; null where the service knows of none on a page.
   * @type {"open" | "invited" | "closed" | null}
   */
  registration = null;
  /** Whether the service was asked for something, and has not answered. */
  isUnderway = false;
  /** @type {Answer | null} */
  answer = null;

  /**
   * Take a welcome.
   * @param {Pick<Frame<"welcome">, "account" | "registration">} frame
   */
  seated({ account = false, registration = undefined }) {
    this.isOne = account;
    this.registration = registration ?? null;
  }

  /** Note that the service is asked for something. */
  asked() {
    this.isUnderway = true;
    this.answer = null;
  }

  /**
   * Take the service's answer.
   * @param {Answer} answer
   */
  answered({ action, outcome, seconds = 0 }) {
    this.isUnderway = false;
    this.answer = { action, outcome, seconds };
    if (outcome !== "done") return;
    if (action === "register") this.isOne = true;
    if (action === "delete_account") this.isOne = false;
  }

  /** Note that the connection is gone. */
  interrupted() {
    if (this.isUnderway) this.answer = { action: "", outcome: "unsure" };
    this.isUnderway = false;
  }

  /** Forget what the service answered: it was read. */
  read() {
    this.answer = null;
  }
}
