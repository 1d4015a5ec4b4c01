// The page for the visitor's own device: what starts when it is opened. Its parts are those of the
// server's page; here they ask a worker.

import { start as startAbout } from "./about.mjs";
import { Desk, deviceReader } from "./device.mjs";
import { start as startHeader } from "./header.mjs";
import { isSupported } from "./kernel.mjs";
import { keepOffline } from "./offline.mjs";
import { start as startPhoto } from "./photo.mjs";
import { startTabs } from "./tabs.mjs";
import { start as startVideo } from "./video.mjs";
import { start as startWebcam } from "./webcam.mjs";

const NO_SIMD =
  "This browser cannot read faces by itself: it lacks WebAssembly SIMD, which browsers have " +
  "since 2023 (Chrome 91, Firefox 89, Safari 16.4). Expected a newer one.";

const PARTS = {
  header: startHeader,
  webcam: startWebcam,
  photo: startPhoto,
  video: startVideo,
  about: startAbout,
};
const status = document.querySelector(".fer-status");

function tell(text, isError = false) {
  status.textContent = text;
  status.classList.toggle("fer-error", isError);
}

async function main() {
  if (!isSupported()) throw new Error(NO_SIMD);
  const kept = keepOffline();
  const settings = await (await fetch("settings.json")).json();
  const [first] = settings.weights;
  // Its files come from the cache once that is filled, so that none is fetched twice.
  const desk = new Desk(kept.then(startWorker));
  const reader = deviceReader(settings, desk);
  const choices = settings.weights.map(choiceOf);
  const props = { ...first, source: first.weights, elsewhere: false, choices };
  for (const [name, start] of Object.entries(PARTS)) {
    const element = document.querySelector(`[data-part="${name}"]`);
    start({ element, props, reader });
    element.inert = false;
  }
  tell(`Loading the recogniser (${megabytes(first.bytes)})…`);
  await desk.ask("settings", settings);
  await desk.ask("load", { weights: first.weights });
  tell((await kept) ? "Ready, also without a network." : "Ready.");
}

const startWorker = () => new Worker(new URL("worker.mjs", import.meta.url), { type: "module" });
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

const choiceOf = ({ weights, title, bytes, licence }) => [
  weights,
  title,
  `${megabytes(bytes)}, licence: ${licence}`,
];

startTabs(document.querySelector('[role="tablist"]'), () => {});
main().catch((error) => tell(error.message, true));
