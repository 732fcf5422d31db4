/**
 * Keeps the page for a browser without a network. What is said stays the service's alone.
 *
 * The node writes before this what belongs to the page, by content. So every version of the page has
 * a worker of its own, and what it keeps goes with it.
 */

/** @typedef {{ [path: string]: string }} Digests */

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const shell = /** @type {{ files: Digests, parts: string[], languages: Digests }} */ (
  Reflect.get(self, "shell")
);
const language = new URL(worker.location.href).searchParams.get("language") ?? "en";
const files = { ...shell.files, ...spoken() };
const parts = shell.parts.filter((path) => isSpoken(path, "texts/dialogs/"));
const NAME = `tertulia ${Object.entries(files).join(" ")}`;
/** Milliseconds that the service may take for the page, where there is one here. */
const PATIENCE = 3_000;

function spoken() {
  const all = Object.entries(shell.languages);
  return Object.fromEntries(all.filter(([path]) => isSpoken(path, "texts/")));
}

/**
 * Say whether a file has no words, or those of the reader's language.
 * @param {string} path
 * @param {string} folder
 */
function isSpoken(path, folder) {
  return !path.startsWith(folder) || path.startsWith(`${folder}${language}.js`);
}

async function keep() {
  const cache = await caches.open(NAME);
  await Promise.all(
    Object.entries(files).map(async ([path, integrity]) => {
      // While nodes of two versions serve, one may answer with what belongs to the other page.
      const cached = path.includes("?") ? "default" : "no-cache";
      const answer = await fetch(path, { integrity, cache: cached });
      if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
      await cache.put(path, answer);
    }),
  );
  await worker.skipWaiting();
}

/** Keep what is loaded when it is wanted. It fits this page alone: another version's node has none of that name. */
async function keepParts() {
  const cache = await caches.open(NAME);
  await cache.addAll(parts);
}

async function dropOthers() {
  const names = await caches.keys();
  await Promise.all(names.filter((it) => it !== NAME).map((it) => caches.delete(it)));
}

/**
 * Return the page as the service has it now, or the one that was kept if the service has none.
 * @param {Request} request
 */
async function page(request) {
  const kept = await caches.match("./");
  if (kept === undefined) return fetch(request);
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(PATIENCE) });
    return answer.ok ? answer : kept;
  } catch {
    return kept;
  }
}

worker.addEventListener("install", (event) => event.waitUntil(keep()));
worker.addEventListener("activate", (event) => event.waitUntil(dropOthers()));
// What is loaded when it is wanted is no part of a first load; the page says when there is time for it.
worker.addEventListener("message", (event) => event.waitUntil(keepParts().catch(() => {})));
// Android's notifications come from here, see calls/caller.js: a tap goes to the page.
worker.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(
    worker.clients
      .matchAll({ type: "window" })
      .then(([open]) => (open === undefined ? worker.clients.openWindow("./") : open.focus())),
  );
});
worker.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(worker.registration.scope)) return;
  if (request.mode === "navigate") {
    event.respondWith(page(request));
    return;
  }
  // Behind a `#`, it is the page's own count of its tries.
  const [path = ""] = request.url.slice(worker.registration.scope.length).split("#");
  if (path in files || parts.includes(path)) {
    event.respondWith(caches.match(request).then((kept) => kept ?? fetch(request)));
  }
});
