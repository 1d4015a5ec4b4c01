// The service worker that keeps the page, so that it opens without a network.

const PATIENCE = 30_000; // ms until the page goes on without it

// Whether the page is kept: resolves when it is, or when that is not to be had (a private window,
// an address that is neither https nor localhost).
export async function keepOffline() {
  if (!navigator.serviceWorker) return false;
  try {
    const registration = await navigator.serviceWorker.register("service_worker.js");
    const waiting = registration.active ? registration.active : registration.installing;
    return await isActive(waiting);
  } catch {
    return false;
  }
}

function isActive(worker) {
  return new Promise((resolve) => {
    const look = () => {
      if (worker.state === "activated") resolve(true);
      if (worker.state === "redundant") resolve(false); // a file did not come
    };
    worker.addEventListener("statechange", look);
    setTimeout(resolve, PATIENCE, false);
    look();
  });
}
