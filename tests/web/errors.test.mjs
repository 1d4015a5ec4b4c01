import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { FerError, ImageError, UnsupportedError, WeightsError } from "../../web/errors.mjs";
import { Recognizer } from "../../web/recognizer.mjs";

const ROOT = new URL("../../", import.meta.url);
const bytes = (path) => {
  const read = readFileSync(new URL(path, ROOT));
  return read.buffer.slice(read.byteOffset, read.byteOffset + read.length);
};
const files = (name) => ({
  kernel: bytes("web/kernel.wasm"),
  detector: bytes("fer_cbam/detect/yunet.onnx"),
  config: JSON.parse(readFileSync(new URL(`fer_cbam/weights/${name}/config.json`, ROOT), "utf-8")),
  weights: bytes(`fer_cbam/weights/${name}/model.safetensors`),
  name,
});
const tiny = files("fer_cbam_tiny.ferplus");
const refused = (more, kind, message) =>
  assert.rejects(Recognizer.from({ ...tiny, ...more }), (error) => {
    assert.equal(error.constructor, kind);
    assert.ok(error instanceof FerError && error.name === kind.name);
    assert.match(error.message, message);
    return true;
  });

// The weights with other half floats in all tensors whose names end so.
function withHalves(ending, bits) {
  const copy = tiny.weights.slice(0);
  const length = Number(new DataView(copy).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(copy, 8, length)));
  const view = new DataView(copy, 8 + length);
  for (const [name, { data_offsets: offsets }] of Object.entries(header)) {
    if (!name.endsWith(ending)) continue;
    for (let at = offsets[0]; at < offsets[1]; at += 2) view.setUint16(at, bits, true);
  }
  return copy;
}
const FIRST = "stages.0.convs.0.conv.weight";
const [NAN, LARGEST] = [0x7e00, 0x7bff];

test("damaged and foreign weights", async () => {
  const nan = withHalves(FIRST, NAN);
  await refused({ weights: nan }, WeightsError, /conv.weight holds numbers that are not finite/);
  const half = tiny.weights.slice(0, 5e5);
  await refused({ weights: half }, WeightsError, /bytes .* cut off or damaged/);
  await refused({ weights: new ArrayBuffer(3) }, WeightsError, /3 bytes, cut off/);
  await refused({ weights: tiny.detector }, WeightsError, /no safetensors file/);
  const { weights } = files("fer_cbam_base.ferplus");
  await refused({ weights }, WeightsError, /not the weights of this network: .* expected \[/);
  await refused({ detector: tiny.weights }, WeightsError, /yunet.onnx: .*no ONNX file/);
  await refused({ detector: tiny.detector.slice(0, 9e4) }, WeightsError, /yunet.onnx: .*cut off/);
  await refused({ kernel: tiny.detector }, WeightsError, /kernel.wasm: damaged/);
});

test("a config that does not fit", async () => {
  const config = (more) => ({ config: { ...tiny.config, ...more } });
  const other = config({ architecture: "resnet18" });
  await refused(other, WeightsError, /resnet18; expected one of fer_/);
  await refused(config({ temperature: 0 }), WeightsError, /temperature: got 0/);
  await refused(config({ landmarks: [] }), WeightsError, /expected 5 pairs/);
  await refused(config({ gate_neutral: -1 }), WeightsError, /gate_neutral: got -1/);
  const odd = { pretrained_cfg: { ...tiny.config.pretrained_cfg, input_size: [1, 40, 40] } };
  await refused(config(odd), WeightsError, /input_size 40; expected a multiple of 16/);
});

test("an answer that is no number", async () => {
  // Each layer multiplies by 65,504: more than a float holds after eight of them.
  const weights = withHalves("norm.weight", LARGEST);
  const recognizer = await Recognizer.from({ ...tiny, weights });
  const crop = new Uint8Array(4 * 48 * 48).map((_, i) => (i * 37) % 251);
  assert.throws(() => recognizer.forward([crop]), WeightsError);
});

test("pictures that are none, and the recogniser after them", async () => {
  const recognizer = await Recognizer.from(tiny);
  const read = (width, height, size = 4 * width * height) =>
    recognizer.read({ data: new Uint8Array(size), width, height }, { maxSide: 320 });
  const size = recognizer.memory;
  for (const [sides, message] of [
    [[20_000, 2600, 4 * 20_000 * 2600], /20000x2600, 52 million pixels; expected at most 50/],
    [[10, 10, 399], /399 bytes for 10x10 pixels; expected 4/],
    [[0, 10], /expected/],
  ]) {
    assert.throws(() => read(...sides), (error) => {
      assert.equal(error.constructor, ImageError);
      assert.match(error.message, message);
      return true;
    });
  }
  assert.equal(recognizer.memory, size);
  assert.deepEqual(read(1, 1), { faces: [], recognitions: [] });
  assert.deepEqual(read(20_000, 3).faces, []);
  assert.deepEqual(read(31, 63).faces, []);
});

test("a browser without SIMD", async () => {
  const { validate } = WebAssembly;
  WebAssembly.validate = () => false;
  try {
    await refused({}, UnsupportedError, /no WebAssembly SIMD here; expected a browser from/);
  } finally {
    WebAssembly.validate = validate;
  }
});

test("files that do not come", async () => {
  const { fetch } = globalThis;
  const load = () => Recognizer.load({ base: "https://localhost/", weights: "some" });
  try {
    const status = ({ pathname }) => (pathname === "/yunet.onnx" ? 404 : 200);
    globalThis.fetch = async (url) => new Response("", { status: status(url) });
    const message = "yunet.onnx: the server answers 404";
    await assert.rejects(load(), { name: "FerError", message });
    globalThis.fetch = async () => Promise.reject(new TypeError("no network"));
    await assert.rejects(load(), { name: "FerError", message: /does not come \(no network\)/ });
  } finally {
    globalThis.fetch = fetch;
  }
});
