// Answers what tests/web asks of the modules in web/: a list of questions as JSON on stdin, a list
// of answers on stdout. Files are read, never written; arrays travel as base64 of their bytes.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { web, detector, questions } = JSON.parse(readFileSync(0, "utf-8"));
const load = (name) => import(new URL(name, `${pathToFileURL(web)}/`));
const { Recognizer } = await load("recognizer.mjs");
const { Live } = await load("live.mjs");
const { Kernel } = await load("kernel.mjs");
const pictures = await load("pictures.mjs");

const bytes = (path) => {
  const read = readFileSync(path);
  return read.buffer.slice(read.byteOffset, read.byteOffset + read.length);
};
const recognizers = new Map();

async function opened(folder) {
  if (!recognizers.has(folder)) {
    const made = Recognizer.from({
      kernel: bytes(`${web}/kernel.wasm`),
      detector: bytes(detector),
      config: JSON.parse(readFileSync(`${folder}/config.json`, "utf-8")),
      weights: bytes(`${folder}/model.safetensors`),
      name: folder,
    });
    recognizers.set(folder, await made);
  }
  return recognizers.get(folder);
}

const image = ({ path, width, height }) => ({ data: new Uint8Array(bytes(path)), width, height });

const ANSWERS = {
  // Crops, RGBA, all in one file.
  forward(recognizer, { path, count }) {
    const size = 4 * recognizer.side ** 2;
    const all = new Uint8Array(bytes(path));
    const crops = Array.from({ length: count }, (_, i) => all.subarray(i * size, (i + 1) * size));
    return recognizer.forward(crops);
  },
  // Faces of an image, by the detector or given; with explain all maps of each.
  read(recognizer, { image: given, faces, explain, ...options }) {
    const picture = image(given);
    const found = faces
      ? { faces, recognitions: recognizer.recognize(picture, faces) }
      : recognizer.read(picture, options);
    if (!explain) return found;
    const recognitions = found.recognitions.map((recognition) => ({
      ...recognition,
      saliency: Object.fromEntries(
        recognizer.labels.map((label) => [label, recognizer.saliency(recognition, label).values]),
      ),
      attention: recognizer.attention(recognition)?.values ?? null,
      explained: Object.fromEntries(
        Object.entries(recognizer.explain(recognition)).map(([label, map]) => [label, map.values]),
      ),
      losses: recognizer.partLosses(recognition),
    }));
    return { ...found, recognitions };
  },
  // What a function of pictures.mjs makes of an image, with whatever it needs beside.
  async picture(_, { image: given, name, values }) {
    const kernel = await Kernel.open(bytes(`${web}/kernel.wasm`));
    const picture = pictures.putImage(kernel, image(given));
    if (name === "cutSquare") {
      const table = kernel.put(pictures.bicubicTable());
      return { data: pictures.cutSquare(kernel, picture, ...values, table) };
    }
    const { address, width, height } = pictures[name](kernel, picture, ...values);
    return { data: kernel.bytes(address, 4 * width * height).slice(), width, height };
  },
  // An expression's value for the `data`, with what a module (or several) exports as
  // `module`.
  async evaluate(_, { module, expression, data }) {
    const [main, ...others] = await Promise.all([module].flat().map(load));
    const all = Object.assign({}, ...others, main);
    return new Function("module", "data", `return ${expression}`)(all, data);
  },
  // Frames one after another.
  live(recognizer, { frames }) {
    const live = new Live(recognizer);
    return frames.map(({ time, ...frame }) => live.read(image(frame), time));
  },
};

const plain = (_, value) =>
  ArrayBuffer.isView(value)
    ? {
        dtype: value.constructor.name,
        base64: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64"),
      }
    : value;

const answers = [];
for (const { ask, weights, ...question } of questions) {
  const recognizer = weights && (await opened(weights));
  answers.push(await ANSWERS[ask](recognizer, question));
}
process.stdout.write(JSON.stringify(answers, plain));
