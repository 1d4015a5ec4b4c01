// Ways from a canvas to the label of its largest face, in a page, on one thread; benchmarks/
// browser.py serves this file and asks.

import { Decision } from "/web/decide.mjs";
import { Kernel } from "/web/kernel.mjs";
import { bicubicTable, cutSquare, putImage, resized } from "/web/pictures.mjs";
import { Preprocess } from "/web/preprocess.mjs";
import { Recognizer } from "/web/recognizer.mjs";

const SIDE = 320; // pixels that a frame is searched at
const STRIDES = [8, 16, 32];
const WASM = "/peers/@tensorflow/tfjs-backend-wasm/dist/";

const bytes = async (path) => (await fetch(path)).arrayBuffer();
const pixels = (canvas) =>
  canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);

async function files(weights) {
  const folder = `/weights/${weights}`;
  return {
    kernel: await bytes("/web/kernel.wasm"),
    detector: await bytes("/detector/yunet.onnx"),
    config: await (await fetch(`${folder}/config.json`)).json(),
    weights: await bytes(`${folder}/model.safetensors`),
    name: weights,
  };
}

async function ours({ weights }) {
  const recognizer = await Recognizer.from(await files(weights));
  return (canvas) => recognizer.read(pixels(canvas), { maxSide: SIDE, most: 1 }).recognitions[0];
}

// The same steps, with ONNX Runtime for both networks.
async function onnxRuntime({ weights, network, names }) {
  const ort = await import("/peers/onnxruntime-web/dist/ort.wasm.min.mjs");
  Object.assign(ort.env.wasm, { numThreads: 1, wasmPaths: "/peers/onnxruntime-web/dist/" });
  const { config, kernel: module } = await files(weights);
  const kernel = await Kernel.open(module);
  const preprocess = new Preprocess(config);
  const decision = Decision.of(config, config.pretrained_cfg.label_names);
  const table = kernel.put(bicubicTable());
  const detector = await ort.InferenceSession.create("/made/yunet.onnx");
  const classifier = await ort.InferenceSession.create(network);
  const tensor = (data, shape) => new ort.Tensor("float32", data, shape);
  return async (canvas) => {
    const image = pixels(canvas);
    const { blob, shape, ratio } = kernel.within(() => planar(kernel, putImage(kernel, image)));
    const found = await detector.run({ input: tensor(blob, shape) });
    const face = best(found, shape[3], ratio);
    const crop = kernel.within(() =>
      cutSquare(kernel, putImage(kernel, image), preprocess.affine(face), preprocess.side, table),
    );
    const { channels, side } = preprocess;
    const input = tensor(preprocess.input([crop]), [1, channels, side, side]);
    const answer = await classifier.run({ [names.input]: input });
    return decision.prediction(answer[names.logits].data, answer[names.embedding].data);
  };
}

// The picture at the size of a search as float32 BGR, planes, with sides that 32 divides.
function planar(kernel, picture) {
  const { address, width, height } = resized(kernel, picture, SIDE);
  const [w, h] = [width, height].map((side) => Math.ceil(side / 32) * 32);
  const rgba = kernel.bytes(address, 4 * width * height);
  const blob = new Float32Array(3 * w * h);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const [from, to] = [4 * (y * width + x), y * w + x];
      blob[to] = rgba[from + 2];
      blob[to + w * h] = rgba[from + 1];
      blob[to + 2 * w * h] = rgba[from];
    }
  }
  return { blob, shape: [1, 3, h, w], ratio: [picture.width / width, picture.height / height] };
}

function best(found, width, ratio) {
  let top = { score: 0 };
  for (const stride of STRIDES) {
    const [cls, obj] = ["cls", "obj"].map((kind) => found[`${kind}_${stride}`].data);
    cls.forEach((value, cell) => {
      const score = Math.sqrt(value * obj[cell]);
      if (score > top.score) top = { score, stride, cell };
    });
  }
  const { stride, cell } = top;
  const columns = width / stride;
  const corner = [cell % columns, Math.floor(cell / columns)];
  const points = found[`kps_${stride}`].data.slice(10 * cell, 10 * cell + 10);
  const place = (i) => ((points[i] + corner[i % 2]) * stride + 0.5) * ratio[i % 2] - 0.5;
  return { box: [0, 0, 1, 1], landmarks: [0, 2, 4, 6, 8].map((i) => [place(i), place(i + 1)]) };
}

async function human() {
  const { Human } = await import("/peers/@vladmandic/human/dist/human.esm.js");
  const off = { enabled: false };
  const face = {
    detector: { rotation: false, maxDetected: 1, skipTime: 0, skipFrames: 0 },
    mesh: off, iris: off, description: off, attention: off, antispoof: off, liveness: off,
    emotion: { enabled: true, skipTime: 0, skipFrames: 0 },
  };
  const instance = new Human({
    backend: "wasm", wasmPath: WASM, modelBasePath: "/peers/@vladmandic/human/models/",
    cacheSensitivity: 0, warmup: "none", debug: false, filter: off, gesture: off, body: off,
    hand: off, object: off, segmentation: off, face: { enabled: true, ...face },
  });
  await instance.load();
  return async (canvas) => {
    const found = await instance.detect(canvas);
    const [{ emotion, score } = {}] = found.face[0]?.emotion ?? [];
    return { label: emotion, confidence: score };
  };
}

async function faceApi() {
  const api = await import("/peers/@vladmandic/face-api/dist/face-api.esm.js");
  api.tf.setWasmPaths(WASM);
  await api.tf.setBackend("wasm");
  await api.tf.ready();
  const models = "/peers/@vladmandic/face-api/model";
  await api.nets.tinyFaceDetector.loadFromUri(models);
  await api.nets.faceExpressionNet.loadFromUri(models);
  const options = new api.TinyFaceDetectorOptions({ inputSize: SIDE });
  return async (canvas) => {
    const found = await api.detectSingleFace(canvas, options).withFaceExpressions();
    const [{ expression, probability } = {}] = found?.expressions.asSortedArray() ?? [];
    return { label: expression, confidence: probability };
  };
}

const KINDS = { ours, onnxRuntime, human, faceApi };
const ways = new Map();
let canvas = null;

// The picture that all read, and the ways: name -> {kind, ...what it needs}.
export async function prepare(picture, wanted) {
  const image = await createImageBitmap(await (await fetch(picture)).blob());
  canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(image, 0, 0);
  for (const [name, { kind, ...needs }] of Object.entries(wanted)) {
    ways.set(name, await KINDS[kind](needs));
  }
}

// Each way once, in turn: name -> {milliseconds, label, confidence}.
export async function round() {
  const found = {};
  for (const [name, way] of ways) {
    const started = performance.now();
    const answer = await way(canvas);
    const milliseconds = performance.now() - started;
    found[name] = { milliseconds, label: answer?.label, confidence: answer?.confidence };
  }
  return found;
}
