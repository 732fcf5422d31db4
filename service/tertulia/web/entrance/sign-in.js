/**
 * Signing in at an OpenID issuer, which vouches for one's name: the code flow with PKCE, in the browser alone.
 *
 *     begin ──▶ the issuer's own page ──▶ back here with a code ──▶ returned ──▶ an ID token
 *
 * Source: OpenID Connect Core 1.0, 3.1; RFC 7636.
 */

/**
 * @import { PartAs } from "../dialogs/late.js"
 * @import { Texts } from "../texts/texts.js"
 * @import { Entrance } from "./entrance.js"
 */

/**
 * What a listener offers: where to sign in, and as what.
 * @typedef {{ issuer: string, client_id: string }} Offer
 * @typedef {{ state: string, nonce: string, verifier: string, endpoint: string, room: string }} Begun
 * @typedef {{ token: string } | { problem: "refused" | "unreachable" }} Outcome
 */

const KEPT = "tertulia-sign-in";
/** Bytes that nobody guesses. */
const RANDOM = 32;

/**
 * Offer to sign in, at the entrance; go in with what the issuer says, if this page was opened by it.
 * @param {HTMLMetaElement} told what the node has written into the page
 * @param {{ partAs: PartAs, entrance: Entrance, texts: Texts, onToken: (token: string) => void }} options
 */
export async function offerSignIn({ content, dataset }, { partAs, entrance, texts, onToken }) {
  const offer = { issuer: content, client_id: dataset.client ?? "" };
  const issuer = new URL(offer.issuer).host;
  const button = partAs("sign-in", HTMLElement);
  /** @param {"refused.issuer" | "refused.not_signed_in"} key */
  const complain = (key) => {
    partAs("complaint", HTMLElement).textContent = texts.say(key, { issuer });
    button.focus();
  };
  entrance.issuer = issuer;
  button.textContent = texts.say("entrance.sign_in", { issuer });
  button.hidden = false;
  button.addEventListener("click", () => begin(offer).catch(() => complain("refused.issuer")));
  const outcome = await returned(offer);
  if (outcome === null) return;
  if ("token" in outcome) onToken(outcome.token);
  else complain(outcome.problem === "refused" ? "refused.not_signed_in" : "refused.issuer");
}

/**
 * Go to the issuer's page. Throws where the issuer can't be reached.
 * @param {Offer} offer
 */
async function begin(offer) {
  const { authorization_endpoint: page, token_endpoint: endpoint } = await configuration(offer);
  const begun = {
    state: random(),
    nonce: random(),
    verifier: random(),
    endpoint,
    room: location.hash,
  };
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(begun.verifier));
  sessionStorage.setItem(KEPT, JSON.stringify(begun));
  const to = new URL(page);
  const asked = {
    response_type: "code",
    scope: "openid profile",
    client_id: offer.client_id,
    redirect_uri: here(),
    state: begun.state,
    nonce: begun.nonce,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(asked)) to.searchParams.set(name, value);
  location.assign(to);
}

/**
 * Return what came of it, if this page was opened by the issuer; null if it was not.
 * @param {Offer} offer
 * @returns {Promise<Outcome | null>}
 */
async function returned(offer) {
  const told = new URL(location.href).searchParams;
  const state = told.get("state");
  if (state === null) return null;
  // Whoever loads the page again, or sends its address to somebody, has nothing of it any more.
  const kept = sessionStorage.getItem(KEPT);
  sessionStorage.removeItem(KEPT);
  /** @type {Begun | null} */
  const begun = kept === null ? null : JSON.parse(kept);
  history.replaceState(null, "", `${here()}${begun?.room ?? ""}`);
  const code = told.get("code");
  if (begun === null || begun.state !== state || code === null) return { problem: "refused" };
  try {
    const answer = await fetch(begun.endpoint, {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "authorization_code",
        code,
        client_id: offer.client_id,
        redirect_uri: here(),
        code_verifier: begun.verifier,
      }),
    });
    if (!answer.ok) return { problem: "refused" };
    const { id_token: token } = await answer.json();
    // The service verifies the token; only this page knows for which question it was given.
    if (claims(token).nonce !== begun.nonce) return { problem: "refused" };
    return { token };
  } catch {
    return { problem: "unreachable" };
  }
}

/** @param {Offer} offer */
async function configuration(offer) {
  const url = `${offer.issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`the issuer answered ${answer.status}`);
  /** @type {{ issuer: string, authorization_endpoint: string, token_endpoint: string }} */
  const found = await answer.json();
  if (found.issuer !== offer.issuer) throw new Error("this is another issuer's configuration");
  return found;
}

/** The page's own address, which the issuer knows. */
function here() {
  return `${location.origin}${location.pathname}`;
}

/**
 * What a token says, unverified.
 * @param {string} token
 */
function claims(token) {
  const [, body = ""] = token.split(".");
  const text = atob(body.replaceAll("-", "+").replaceAll("_", "/"));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (it) => it.charCodeAt(0))));
}

function random() {
  return base64url(crypto.getRandomValues(new Uint8Array(RANDOM)));
}

/** @param {Uint8Array} bytes */
function base64url(bytes) {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
