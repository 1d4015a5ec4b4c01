// From an image to emotions, and the evidence for them, on the visitor's own device: the same as
// fer_cbam/recognizer.py. Results are plain objects with the names of the server's JSON.

import { Decision } from "./decide.mjs";
import { Detector } from "./detector.mjs";
import { FerError, WeightsError } from "./errors.mjs";
import { blurred, gaussian, hidden, logOdds, meanGrey, patches } from "./hide.mjs";
import { Kernel } from "./kernel.mjs";
import { Network } from "./network.mjs";
import { bicubicTable, checkImage, cutSquare, putImage } from "./pictures.mjs";
import { Preprocess, layerTransform } from "./preprocess.mjs";
import { recurrent } from "./recurrent.mjs";
import { regionMasks, toCrop } from "./regions.mjs";
import { readSafetensors } from "./safetensors.mjs";
import { attentionMap, saliencyMap, upsample } from "./saliency.mjs";

const MAX_SIDE = 4096; // finds faces from about 24 pixels up in photographs to 12 megapixels
const STILL = "occlusion_gradcam"; // what a photograph shows first, where the weights do not say
const BLEND_PATCHES = 3; // along a side, of that
const LEAST_LOSS = 0.05; // of probability, with both fills, for a part to be named
const SOFT = 1 / 48; // of the side: standard deviation of the edges of parts

export class Recognizer {
  #kernel;
  #detector;
  #network;
  #preprocess;
  #bicubic; // address of a table
  #files;

  // Fetch what is needed: kernel.wasm, yunet.onnx, weights/<weights>/ below base, and there too the
  // network that answers over time on what these weights see, where one is named. prior: see
  // Decision.of; with one, that network is left out, which was trained for another. Throws
  // UnsupportedError, WeightsError, and FerError for a file that does not come.
  static async load({ base = new URL(".", import.meta.url), weights, network, prior = null }) {
    const [kernel, detector, own] = await Promise.all([
      fetched(base, "kernel.wasm"),
      fetched(base, "yunet.onnx"),
      fetchedBoth(base, weights, network),
    ]);
    return Recognizer.from({ kernel, detector, prior, ...own });
  }

  // kernel, detector, weights: ArrayBuffers of kernel.wasm, yunet.onnx and model.safetensors.
  // config: of config.json. name: of the weights, as results show it. over: {config, weights} of
  // the network that answers over time; null for none.
  static async from({ kernel, detector, prior = null, over = null, ...own }) {
    const recognizer = new Recognizer(await Kernel.open(kernel), { detector, prior, over, ...own });
    recognizer.#files = { kernel, detector, prior };
    return recognizer;
  }

  // The same with other weights, in memory of its own.
  async withWeights({ base = new URL(".", import.meta.url), weights, network }) {
    return Recognizer.from({ ...this.#files, ...(await fetchedBoth(base, weights, network)) });
  }

  constructor(kernel, { detector, config, weights, name, over, prior }) {
    [this.name, this.prior] = [name, prior];
    this.config = checkedConfig(config);
    this.labels = labelsOf(config);
    this.#kernel = kernel;
    this.#preprocess = new Preprocess(config);
    this.side = this.#preprocess.side;
    const tensors = readSafetensors(weights);
    this.#network = new Network(kernel, tensors, config, this.labels.length, this.side);
    if (this.#network.made.in_chans !== this.#preprocess.channels) {
      throw new WeightsError(`in_chans ${this.#network.made.in_chans}; expected as in input_size`);
    }
    this.decision = Decision.of(config, this.labels, prior);
    this.decision.isFace(new Float32Array(this.#network.embeddingSize)); // of that length?
    this.network = over && prior === null ? this.#overTime(over) : null;
    this.gateNeutral = gateNeutralOf(config);
    this.still = stillOf(config);
    this.#detector = new Detector(kernel, detector);
    this.#bicubic = kernel.put(bicubicTable());
  }

  #overTime({ config, weights }) {
    const tensors = readSafetensors(weights);
    return recurrent(config, tensors, this.labels, this.#network.embeddingSize);
  }

  // Bytes of memory that the kernel holds: as many as the largest image has needed.
  get memory() {
    return this.#kernel.size;
  }

  // All faces of an image, {data: RGBA bytes, width, height}: [{box, score, landmarks}] in its
  // pixels, the largest first. maxSide: longest side of the finest search. Throws ImageError.
  detect(image, { maxSide = MAX_SIDE } = {}) {
    checkImage(image);
    return this.#kernel.within(() =>
      this.#detector.detect(putImage(this.#kernel, image), maxSide),
    );
  }

  // What faces of an image express, in their order. Throws ImageError.
  recognize(image, faces) {
    checkImage(image);
    return this.#kernel.within(() => this.#recognized(putImage(this.#kernel, image), faces));
  }

  // Both: {faces: all that were found, recognitions: of the `most` largest}.
  read(image, { maxSide = MAX_SIDE, most = 12 } = {}) {
    checkImage(image);
    return this.#kernel.within(() => {
      const picture = putImage(this.#kernel, image);
      const faces = this.#detector.detect(picture, maxSide);
      return { faces, recognitions: this.#recognized(picture, faces.slice(0, most)) };
    });
  }

  #recognized(picture, faces) {
    if (!faces.length) return [];
    const affines = faces.map((face) => this.#preprocess.affine(face));
    const crops = affines.map((affine) =>
      cutSquare(this.#kernel, picture, affine, this.side, this.#bicubic),
    );
    const found = this.#network.forward(this.#preprocess.input(crops), faces.length);
    return faces.map((face, i) => this.#recognition(face, affines[i], crops[i], found, i));
  }

  #recognition({ box, score, landmarks }, affine, crop, found, i) {
    const row = (values, size) => values.slice(i * size, (i + 1) * size);
    const { mapSize, embeddingSize } = this.#network;
    const places = mapSize ** 2;
    const logits = row(found.logits, this.labels.length);
    const embedding = row(found.embedding, embeddingSize);
    const maps = row(found.maps, this.labels.length * places);
    const map = (label, k) => [label, maps.slice(k * places, (k + 1) * places)];
    const { side } = this;
    return {
      box,
      score,
      landmarks,
      ...this.decision.prediction(logits, embedding),
      affine,
      transform: layerTransform(affine),
      crop: { data: new Uint8ClampedArray(crop.buffer), width: side, height: side },
      logits,
      embedding,
      class_maps: Object.fromEntries(this.labels.map(map)),
      gate: found.gate && row(found.gate, places),
      map_size: [mapSize, mapSize],
    };
  }

  // Face crops that are cut out already, RGBA bytes of side x side: {logits, embedding, maps,
  // gate}, see Network.forward().
  forward(crops) {
    return this.#network.forward(this.#preprocess.input(crops), crops.length);
  }

  // The Grad-CAM of an emotion, by default of the one that is said, at the size of the crop.
  saliency(recognition, label = recognition.label) {
    const evidence = recognition.class_maps[label];
    if (!evidence) throw new RangeError(`label ${label}; expected one of ${this.labels}`);
    const values = saliencyMap(evidence, recognition.map_size[0], this.side);
    return { values, side: this.side, kind: "gradcam", label };
  }

  // The network's own spatial attention at the size of the crop; null where it has none.
  attention({ gate, map_size: [from] }) {
    if (!gate) return null;
    const values = attentionMap(gate, from, this.side, this.gateNeutral);
    return { values, side: this.side, kind: "spatial_attention", label: null };
  }

  // Label -> the map that is most to be trusted on a photograph (`still`).
  explain(recognition) {
    const named = (label) => [label, this.#still(recognition, label)];
    if (this.still === "occlusion_gradcam") return this.#blend(recognition);
    if (!this.still.startsWith("occlusion")) return Object.fromEntries(this.labels.map(named));
    const count = Number(this.still.split("x")[1]);
    const evidence = this.#occlusion(recognition, count);
    return Object.fromEntries(
      this.labels.map((label, k) => {
        const values = saliencyMap(evidence[k], count, this.side);
        return [label, { values, side: this.side, kind: "occlusion", label }];
      }),
    );
  }

  // Half occlusion, half Grad-CAM, as fer_cbam/explain/blend.py.
  #blend(recognition) {
    const losses = this.#occlusion(recognition, BLEND_PATCHES);
    const [from] = recognition.map_size;
    return Object.fromEntries(
      this.labels.map((label, k) => {
        const parts = [
          upsample(losses[k], BLEND_PATCHES, this.side),
          upsample(recognition.class_maps[label], from, this.side),
        ].map(even);
        const evidence = parts[0].map((value, i) => (value + parts[1][i]) / 2);
        const values = saliencyMap(evidence, this.side, this.side);
        return [label, { values, side: this.side, kind: "occlusion_gradcam", label }];
      }),
    );
  }

  #still(recognition, label) {
    if (this.still === "gradcam") return this.saliency(recognition, label);
    return this.attention(recognition) ?? this.saliency(recognition, label);
  }

  // Zeiler and Fergus, ECCV 2014: what hiding each of count x count soft patches takes from the
  // log-odds of each label. Gives [K] arrays of count * count numbers.
  #occlusion(recognition, count) {
    const face = this.#preprocess.input([recognition.crop.data]);
    const masks = patches(count, this.side);
    const logits = this.#hiddenLogits(face, masks, blurred(face, this.side));
    const before = logOdds(recognition.logits);
    const after = logits.map(logOdds);
    return before.map((odds, k) => Float32Array.from(after, (row) => odds - row[k]));
  }

  #hiddenLogits(face, masks, fill) {
    const { logits } = this.#network.forward(hidden(face, masks, fill), masks.length);
    const count = this.labels.length;
    return masks.map((_, i) => logits.subarray(i * count, (i + 1) * count));
  }

  // Label -> {least: region -> what hiding it takes from the probability, with the fill that takes
  // less; decisive: the region that costs most with every fill and enough with each, or null}. null
  // where the landmarks span no face. As fer_cbam/explain/parts.py.
  partLosses(recognition) {
    const regions = regionMasks(toCrop(recognition.landmarks, recognition.affine), this.side);
    if (!regions) return null;
    const names = Object.keys(regions);
    const masks = names.map((name) => gaussian(regions[name], this.side, SOFT * this.side));
    const face = this.#preprocess.input([recognition.crop.data]);
    const before = this.decision.posterior(recognition.logits);
    const fills = [blurred, meanGrey].map((fill) => {
      const after = this.#hiddenLogits(face, masks, fill(face, this.side));
      return after.map((logits) => this.decision.posterior(logits));
    });
    const lossesOf = (label) =>
      fills.map((after) => after.map((probs) => before[label] - probs[label]));
    return Object.fromEntries(
      this.labels.map((label) => [label, namedLosses(names, lossesOf(label))]),
    );
  }
}

// A map over its standard deviation.
function even(map) {
  const mean = map.reduce((sum, value) => sum + value, 0) / map.length;
  const square = map.reduce((sum, value) => sum + (value - mean) ** 2, 0) / map.length;
  return map.map((value) => value / Math.max(Math.sqrt(square), 1e-12));
}

// losses: for each fill, of each region.
function namedLosses(names, losses) {
  const least = names.map((_, i) => Math.min(...losses.map((own) => own[i])));
  const first = new Set(losses.map((own) => own.indexOf(Math.max(...own))));
  const [i] = first;
  const decisive = first.size === 1 && least[i] >= LEAST_LOSS ? names[i] : null;
  return { least: Object.fromEntries(names.map((name, j) => [name, least[j]])), decisive };
}

function checkedConfig(config) {
  if (!config || typeof config.pretrained_cfg !== "object" || !config.pretrained_cfg) {
    throw new WeightsError("config.json: expected an object with a 'pretrained_cfg' object in it");
  }
  return config;
}

function labelsOf(config) {
  const names = config.label_names ?? config.pretrained_cfg.label_names;
  const strings = Array.isArray(names) && names.every((name) => typeof name === "string");
  if (!strings || !names.length || new Set(names).size !== names.length) {
    throw new WeightsError(`label_names: ${names}; expected different strings, one for each logit`);
  }
  return names;
}

function gateNeutralOf({ gate_neutral: value }) {
  if (value === undefined || value === null) return null;
  if (typeof value === "number" && value > 0 && value < 1e6) return value;
  throw new WeightsError(`gate_neutral: got ${value}; expected a number above 0`);
}

// Explainers that need gradients are not at hand here: those weights are explained by default.
function stillOf({ explain }) {
  const name = explain?.still ?? STILL;
  const known = /^(gradcam|spatial_attention|occlusion_(gradcam|4x4|6x6|11x11))$/;
  return known.test(name) ? name : STILL;
}

async function fetchedBoth(base, weights, network) {
  const both = [weights, network].map((name) => (name ? fetchedWeights(base, name) : null));
  const [own, over] = await Promise.all(both);
  return { ...own, over };
}

async function fetchedWeights(base, name) {
  const folder = `weights/${name}`;
  const [text, weights] = await Promise.all([
    fetched(base, `${folder}/config.json`),
    fetched(base, `${folder}/model.safetensors`),
  ]);
  try {
    return { config: JSON.parse(new TextDecoder().decode(text)), weights, name };
  } catch (error) {
    throw new WeightsError(`${folder}/config.json: no JSON (${error.message})`);
  }
}

async function fetched(base, path) {
  const page = globalThis.location?.href;
  const address = new URL(path, new URL(base, page));
  let answer;
  try {
    answer = await fetch(address);
  } catch (error) {
    throw new FerError(`${path}: it does not come (${error.message})`);
  }
  if (!answer.ok) throw new FerError(`${path}: the server answers ${answer.status}`);
  return answer.arrayBuffer();
}
