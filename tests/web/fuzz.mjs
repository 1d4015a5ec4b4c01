// Damaged files and strange pictures: each is answered, or refused with one of our errors, in time
// and within bounded memory. On stdin the files, a seed and how many cases of each kind; on stdout
// how many were answered and refused, by kind. Ends with a message at the first that is neither.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { web, detector, weights, seed, cases } = JSON.parse(readFileSync(0, "utf-8"));
const load = (name) => import(new URL(name, `${pathToFileURL(web)}/`));
const { Recognizer } = await load("recognizer.mjs");
const { FerError } = await load("errors.mjs");
const MOST_SECONDS = 20;

let state = seed;
function random(below) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes' generator
  return Math.floor((state / 2 ** 32) * below);
}
const pick = (values) => values[random(values.length)];

const bytes = (path) => {
  const read = readFileSync(path);
  return read.buffer.slice(read.byteOffset, read.byteOffset + read.length);
};
const files = {
  kernel: bytes(`${web}/kernel.wasm`),
  detector: bytes(detector),
  weights: bytes(`${weights}/model.safetensors`),
  config: JSON.parse(readFileSync(`${weights}/config.json`, "utf-8")),
  name: "fuzzed",
};
const sound = await Recognizer.from(files);
const grey = { data: new Uint8Array(4 * 96 * 96).fill(90), width: 96, height: 96 };
const upright = {
  box: [20, 20, 70, 70],
  landmarks: [[35, 40], [55, 40], [45, 50], [38, 60], [52, 60]],
};

function damaged(buffer) {
  const copy = new Uint8Array(buffer.slice(0));
  const kind = random(4);
  if (kind === 0) return copy.slice(0, random(copy.length)).buffer;
  if (kind === 1) return copy.fill(random(256), random(200), 200 + random(2000)).buffer;
  const reach = kind === 2 ? Math.min(copy.length, 8000) : copy.length;
  for (let i = 0; i < 1 + random(20); i += 1) copy[random(reach)] = random(256);
  return copy.buffer;
}

// One place of the config, at any depth, with something else in it, or nothing.
function otherConfig() {
  const config = JSON.parse(JSON.stringify(files.config));
  let place = config;
  let key = pick(Object.keys(config));
  while (place[key] && typeof place[key] === "object" && random(3)) {
    place = place[key];
    key = pick(Object.keys(place));
    if (key === undefined) return config;
  }
  const values = [null, "x", "", -1, 0, 0.5, 3, 1e9, NaN, Infinity, [], [1], {}, [[1, 2]], true];
  if (random(5)) place[key] = pick(values);
  else delete place[key];
  return config;
}

function image() {
  const [width, height] = pick([
    [1, 1], [1, 2], [3, 1], [1, 400], [700, 1], [20_000, 3], [2, 20_000], [31, 33], [257, 129],
    [1 + random(300), 1 + random(300)],
  ]);
  const data = new Uint8Array(4 * width * height);
  const kind = random(3);
  if (kind) for (let i = 0; i < data.length; i += 1) data[i] = kind === 1 ? random(256) : i >> 3;
  return { data, width, height };
}

function noImage() {
  const data = new Uint8Array(400);
  return pick([
    null, undefined, {}, { data, width: 10, height: 11 }, { data, width: 0, height: 10 },
    { data, width: -10, height: -10 }, { data, width: 2.5, height: 40 }, { data: [1, 2], width: 1 },
    { data, width: NaN, height: 10 }, { data: new Float32Array(400), width: 10, height: 10 },
    { data: new Uint8Array(0), width: 1e9, height: 1e9 },
    { data: new Uint8Array(4 * 20_000 * 2600), width: 20_000, height: 2600 },
  ]);
}

function face() {
  const odd = () => pick([0, 1, -50, 48.5, 1e4, 1e6, -1e9, 1e300, NaN, Infinity, null, "1"]);
  const usual = (value) => (random(4) ? value : odd());
  return {
    box: upright.box.map(usual),
    landmarks: random(9) ? upright.landmarks.map((p) => p.map(usual)) : pick([[], null, [[1, 2]]]),
  };
}

const TRIED = {
  weights: () => Recognizer.from({ ...files, weights: damaged(files.weights) }),
  detector: () => Recognizer.from({ ...files, detector: damaged(files.detector) }),
  kernel: () => Recognizer.from({ ...files, kernel: files.kernel.slice(0, random(20_000)) }),
  config: () => Recognizer.from({ ...files, config: otherConfig() }),
  image: () => sound.read(image(), { maxSide: pick([320, 640, 4096]) }),
  "no image": () => sound.read(noImage()),
  face: () => sound.recognize(grey, [face()]),
};

const counts = {};
for (const [kind, attempt] of Object.entries(TRIED)) {
  counts[kind] = { answered: 0, refused: 0 };
  for (let i = 0; i < cases; i += 1) {
    const [before, started] = [state, process.cpuUsage()];
    try {
      const found = await attempt();
      if (found instanceof Recognizer) found.recognize(grey, [upright]); // it works, then, too
      counts[kind].answered += 1;
    } catch (error) {
      if (!(error instanceof FerError) || error.message.length < 12) {
        throw new Error(`${kind}, case ${i}, state ${before}: ${error.stack}`, { cause: error });
      }
      counts[kind].refused += 1;
    }
    const seconds = process.cpuUsage(started).user / 1e6; // whatever else this machine does
    if (seconds > MOST_SECONDS) throw new Error(`${kind}, case ${i}: ${seconds} seconds`);
  }
}
const memory = sound.memory;
for (let i = 0; i < 50; i += 1) sound.read(grey, { maxSide: 320 });
process.stdout.write(JSON.stringify({ counts, memory, later: sound.memory }));
