// The recogniser in a worker of its own, so that the page never waits for it. One question at a
// time, in order; the page sends no frame before it may (pace.mjs).

import { Answers, MAX_FACES } from "./answers.mjs";
import { ClipAnalysis, clipMessage } from "./clip_analysis.mjs";
import { Live } from "./live.mjs";
import { Recognizer } from "./recognizer.mjs";

const PHOTO_SIDE = 4096; // pixels that a photo is searched at, at most
const CLIP_SIDE = 640; // and a frame of a clip
const CLIP_FACES = 64;

// A port at whose other end nobody listens: what is handed over to it is gone at once.
const nowhere = portToNowhere();

const base = new URL("./", import.meta.url);
const loaded = new Map(); // name of weights -> Recognizer
let answers = null;
let networks = new Map(); // name of weights -> that of the network that answers over time, or null
let live = null;
let clip = null; // {faces, analysis} of the clip that is being read

function recognizerOf(weights) {
  if (!loaded.has(weights)) {
    const loading = load(weights, ...loaded.values());
    loaded.set(weights, loading);
    loading.catch(() => loaded.delete(weights)); // it may be there the next time
  }
  return loaded.get(weights);
}

// first: another one that has been loaded, if there is one, with what all of them share.
async function load(weights, first) {
  const asked = { base, weights, network: networks.get(weights) };
  return first ? (await first).withWeights(asked) : Recognizer.load(asked);
}

const does = {
  settings(question) {
    answers = new Answers(question);
    networks = new Map(question.weights.map(({ weights, network }) => [weights, network]));
    return {};
  },

  load: async ({ weights }) => ({ labels: (await recognizerOf(weights)).labels }),

  async frame({ weights, image, time, fresh, map, label, smoothing }) {
    const recognizer = await recognizerOf(weights);
    if (fresh || live?.recognizer !== recognizer || live.smoothing !== smoothing) {
      live = new Live(recognizer, smoothing);
    }
    return answers.frame(recognizer, image, live.read(image, time), { map, label });
  },

  async photo({ weights, image }) {
    const recognizer = await recognizerOf(weights);
    const searched = { maxSide: PHOTO_SIDE, most: MAX_FACES };
    const { faces, recognitions } = recognizer.read(image, searched);
    return answers.photo(recognizer, image, faces, recognitions);
  },

  async clipBegins({ weights, smoothing }) {
    const recognizer = await recognizerOf(weights);
    const faces = new Live(recognizer, smoothing);
    const { name, labels, decision } = recognizer;
    const ofMeans = decision.softened(faces.smoother.softens);
    clip = { faces, analysis: new ClipAnalysis({ name, labels, decision: ofMeans }) };
    return {};
  },

  clipFrame({ image, number, time }) {
    const found = clip.faces.read(image, time, { maxSide: CLIP_SIDE, most: CLIP_FACES });
    clip.analysis.add(number, time, found);
    return { faces: found.map((face) => answers.clipFace(face)) };
  },

  clipEnds({ notes }) {
    const { analysis } = clip;
    clip = null;
    const numbers = analysis.numbers(notes);
    return { message: clipMessage(numbers), numbers, table: analysis.table() };
  },
};

self.addEventListener("message", async ({ data: { number, name, question } }) => {
  try {
    self.postMessage({ number, answer: await does[name](question) });
  } catch (error) {
    self.postMessage({ number, error: { name: error.name, message: error.message } });
  } finally {
    // A megabyte a frame, given back at once: a collection would come after a hundred of them.
    // ArrayBuffer.transfer(0) would not do: Chromium 156 never gives that memory back.
    if (question.image) nowhere.postMessage(null, [question.image.data.buffer]);
  }
});

function portToNowhere() {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  return port1;
}
