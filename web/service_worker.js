// Keeps the page in the browser's cache, under the version that is written above: all files of one
// version, or none. Other weights are kept once they are chosen. Nothing else is stored.
/* global VERSION, FIRST, ALL */

const NAME = `fer-cbam ${self.registration.scope} ${VERSION}`;
const addresses = (files) => files.map((file) => new URL(file, self.registration.scope).href);
const OURS = new Set(addresses(ALL));

// "no-cache": a file of an older version that the browser still has is asked for anew.
const fresh = (address) => new Request(address, { cache: "no-cache" });

self.addEventListener("install", (event) => {
  const keep = async () => (await caches.open(NAME)).addAll(addresses(FIRST).map(fresh));
  event.waitUntil(keep());
});

self.addEventListener("activate", (event) => {
  const tidy = async () => {
    const mine = `fer-cbam ${self.registration.scope} `;
    const old = (await caches.keys()).filter((name) => name.startsWith(mine) && name !== NAME);
    await Promise.all(old.map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const address = request.url.split(/[?#]/)[0];
  if (request.method === "GET" && OURS.has(address)) event.respondWith(answer(address, request));
});

async function answer(address, request) {
  const cache = await caches.open(NAME);
  const key = address.replace(/index\.html$/, "");
  const kept = await cache.match(key, { ignoreVary: true });
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) await cache.put(key, response.clone());
  return response;
}
