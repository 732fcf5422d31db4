/** The token, as long as this tab is open. It is never in an address, and another tab has none. */

const KEY = "tertulia.console.token";

/** @typedef {Pick<Storage, "getItem" | "setItem" | "removeItem">} Storing */

/**
 * Return the token that was kept, or null. A browser may refuse to keep anything.
 * @param {() => Storing} storage
 */
export function kept(storage) {
  try {
    return storage().getItem(KEY);
  } catch {
    return null;
  }
}

/**
 * Keep a token.
 * @param {() => Storing} storage
 * @param {string} token
 */
export function keep(storage, token) {
  try {
    storage().setItem(KEY, token);
  } catch {
    // It holds until the page is loaded again.
  }
}

/** @param {() => Storing} storage */
export function forget(storage) {
  try {
    storage().removeItem(KEY);
  } catch {
    // Nothing was kept.
  }
}

/**
 * Return a token as somebody pasted it, without what came along; null where it can't be one.
 * @param {string} pasted
 */
export function tokenIn(pasted) {
  const token = pasted.trim().replace(/^bearer\s+/i, "");
  return /^[\x21-\x7e]+$/.test(token) ? token : null;
}
