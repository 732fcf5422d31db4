/** Whether the service lets pages of this origin connect: no browser tells a page why a WebSocket did not open. */

/** Milliseconds for the service to say it. */
const PATIENCE = 5_000;
/** What the service says to an origin that may not, see docs/protocols/browser.md; a proxy's 403 says something else. */
const REFUSED = "this origin may not connect\n";

/**
 * Ask by plain HTTP whether pages of this origin are refused.
 * @param {URL} socket
 */
export async function isForeign(socket) {
  const url = new URL(socket);
  url.protocol = location.protocol;
  url.searchParams.set("origin", location.origin); // a browser sends none with a page's own GET
  try {
    const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    return answer.status === 403 && (await answer.text()) === REFUSED;
  } catch {
    return false; // nobody answers: the service can't be reached, as the page says already
  }
}
