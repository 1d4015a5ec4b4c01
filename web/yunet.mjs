// The network of YuNet on the kernel: a part of a picture to the faces in it. See
// fer_cbam/detect/yunet.py and, for the decoding, yunet_onnx.py.

import { readOnnxTensors } from "./onnx_tensors.mjs";
import { checkTensors } from "./tensors.mjs";
import { transposed } from "./network.mjs";

const STRIDES = [8, 16, 32];
const SLOTS = 16; // of each place in the head's map: cls, obj, bbox (4), kps (10)
const KINDS = [["cls", 1], ["obj", 1], ["bbox", 4], ["kps", 10]];
const WIDTH = 64; // channels of the neck
const FIRST = 16; // channels of the first convolution
// Of the backbone, the separable convolutions between two poolings: name, channels in and out.
const STEM = [["backbone__model0_dp", 16, 16]];
const BODY = [
  ["backbone__model1_dp1", 16, 16],
  ["backbone__model1_dp2", 16, 32],
  ["backbone__model2_dp1", 32, 32],
  ["backbone__model2_dp2", 32, 64],
];
const LEVELS = [3, 4, 5].map((i) =>
  [1, 2].map((j) => [`backbone__model${i}_dp${j}`, WIDTH, WIDTH]),
);
const LATERALS = [0, 1, 2].map((i) => [`neck__lateral_convs__${i}`, WIDTH, WIDTH]);
const headName = (kind, level) => `bbox_head__multi_level_${kind}__${level}`;

export const TOP_K = 5000;

export class YuNet {
  // bytes: ArrayBuffer of yunet.onnx. Throws WeightsError for another file.
  constructor(kernel, bytes) {
    const tensors = readOnnxTensors(bytes, "yunet.onnx");
    for (const name of tensors.keys()) {
      if (!/_(weight|bias)$/.test(name)) tensors.delete(name); // such as a factor of upsampling
    }
    checkTensors(tensors, shapes(), "yunet.onnx");
    const read = (name) => tensors.get(name).data;
    const layer = ([name, cin, cout]) => separable(kernel, read, [name], cin, cout, 1);
    this.kernel = kernel;
    this.first = {
      weights: kernel.put(transposed(read("backbone__model0_pw_weight"), FIRST, 3)),
      bias: kernel.put(read("backbone__model0_pw_bias")),
    };
    this.stem = STEM.map(layer);
    this.body = BODY.map(layer);
    this.levels = LEVELS.map((level) => level.map(layer));
    this.laterals = LATERALS.map(layer);
    this.heads = STRIDES.map((_, level) => {
      const names = KINDS.map(([kind]) => headName(kind, level));
      return separable(kernel, read, names, WIDTH, SLOTS, 0);
    });
  }

  // Faces in a part of a picture, {address, width, height} of RGBA bytes in the kernel's memory.
  // part: {left, top, width, height}. Gives rows of 15 numbers: x, y, w, h, five landmarks, score,
  // in pixels of the part; of boxes that overlap the best.
  infer(picture, part, scoreThreshold, nmsThreshold) {
    const width = Math.ceil(part.width / 32) * 32;
    const height = Math.ceil(part.height / 32) * 32;
    const rows = this.kernel.within(() => {
      const maps = this.#forward(picture, part, height, width);
      return maps.flatMap((map) => this.#decode(map, scoreThreshold));
    });
    return rows.length < 2 ? rows : withoutOverlaps(rows, nmsThreshold);
  }

  #forward(picture, part, height, width) {
    const { kernel, first } = this;
    const { call } = kernel;
    const take = (h, w, channels) => kernel.takeFloats((h + 2) * (w + 2) * channels);
    let [h, w] = [height / 2, width / 2];
    const scratch = kernel.takeFloats(3 * (w + 2) * WIDTH);
    let features = this.levels.map((_, i) => take(height / STRIDES[i], width / STRIDES[i], WIDTH));
    const image = take(height, width, 3);
    // Large enough for the maps behind the first pooling too, which have four times the channels.
    let [from, to] = [take(h + 2, w + 2, FIRST), take(h + 2, w + 2, FIRST)];
    const swap = () => ([from, to] = [to, from]);
    const run = (layer, target = to) => layer.run(h, w, from, target, scratch);
    const advance = (layer) => {
      run(layer);
      swap();
    };
    const pool = (channels, source = from) => {
      call.max_pool(source, 1, h, w, channels, to);
      [h, w] = [h / 2, w / 2];
      swap();
    };
    const { address, width: row } = picture;
    call.detector_map(
      address, row, part.left, part.top, part.width, part.height, height, width, image,
    );
    call.first_conv(image, 1, height, width, 3, 2, first.weights, first.bias, FIRST, 1, from);
    for (const layer of this.stem) advance(layer);
    pool(FIRST);
    for (const layer of this.body) advance(layer);
    this.levels.forEach(([one, two], level) => {
      pool(WIDTH, level ? features[level - 1] : from);
      advance(one);
      run(two, features[level]);
    });
    features = this.#neck(features, height, width, scratch);
    return features.map((feature, level) => {
      [h, w] = [height / STRIDES[level], width / STRIDES[level]];
      const map = take(h, w, SLOTS);
      this.heads[level].run(h, w, feature, map, scratch);
      return { map, h, w, stride: STRIDES[level] };
    });
  }

  // From the coarsest level to the finest, each with what the one before has found.
  #neck(features, height, width, scratch) {
    const { kernel } = this;
    const found = [...features];
    for (const level of [2, 1, 0]) {
      const [h, w] = [height / STRIDES[level], width / STRIDES[level]];
      const floats = (h + 2) * (w + 2) * WIDTH;
      let source = features[level];
      if (level < 2) {
        source = kernel.takeFloats(floats);
        kernel.call.add_upsampled(found[level + 1], features[level], h, w, WIDTH, source);
      }
      found[level] = kernel.takeFloats(floats);
      this.laterals[level].run(h, w, source, found[level], scratch);
    }
    return found;
  }

  #decode({ map, h, w, stride }, threshold) {
    const values = this.kernel.floats(map, (h + 2) * (w + 2) * SLOTS);
    const rows = [];
    for (let y = 0; y < h; y += 1) {
      for (let x = 0; x < w; x += 1) {
        const at = ((y + 1) * (w + 2) + x + 1) * SLOTS;
        const score = Math.sqrt(sigmoid(values[at]) * sigmoid(values[at + 1]));
        if (!(score >= threshold)) continue;
        const [width, height] = [4, 5].map((i) => Math.exp(values[at + i]) * stride);
        const left = (values[at + 2] + x) * stride - width / 2;
        const top = (values[at + 3] + y) * stride - height / 2;
        const row = [left, top, width, height];
        for (let i = 6; i < SLOTS; i += 2) {
          row.push((values[at + i] + x) * stride, (values[at + i + 1] + y) * stride);
        }
        row.push(score);
        if (row.every(Number.isFinite)) rows.push(row);
      }
    }
    return rows;
  }
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

function shapes() {
  const found = new Map();
  const add = (name, cin, cout) => {
    found.set(`${name}_pw_weight`, [cout, cin, 1, 1]).set(`${name}_pw_bias`, [cout]);
    found.set(`${name}_dw_weight`, [cout, 1, 3, 3]).set(`${name}_dw_bias`, [cout]);
  };
  for (const layer of [...STEM, ...BODY, ...LEVELS.flat(), ...LATERALS]) add(...layer);
  STRIDES.forEach((_, level) => KINDS.forEach(([kind, n]) => add(headName(kind, level), WIDTH, n)));
  found.set("backbone__model0_pw_weight", [FIRST, 3, 3, 3]);
  found.set("backbone__model0_pw_bias", [FIRST]);
  return found;
}

// A 1x1 convolution and one of each channel alone; of several names, side by side.
function separable(kernel, read, names, cin, cout, relu) {
  const joined = (part) => {
    const all = names.map((name) => read(`${name}_${part}`));
    return Float32Array.from(all.flatMap((values) => [...values]));
  };
  const pointwise = kernel.takeFloats(cin * cout);
  kernel.within(() => kernel.call.pack(kernel.put(joined("pw_weight")), cout, cin, pointwise));
  const given = joined("dw_weight"); // [cout][9]
  const depthwise = kernel.put(given.map((_, i) => given[(i % cout) * 9 + Math.floor(i / cout)]));
  const [pointwiseBias, depthwiseBias] = ["pw_bias", "dw_bias"].map((part) =>
    kernel.put(joined(part)),
  );
  const run = (h, w, from, to, scratch) =>
    kernel.call.separable_conv(
      from, h, w, cin, pointwise, pointwiseBias, depthwise, depthwiseBias, cout, relu, to, scratch,
    );
  return { run };
}

// Non-maximum suppression by whole pixels, as in OpenCV.
function withoutOverlaps(rows, threshold) {
  const boxes = rows.map((row) => row.slice(0, 4).map(Math.trunc));
  const order = rows.map((_, i) => i).sort((a, b) => rows[b][14] - rows[a][14]);
  const kept = [];
  for (const i of order.slice(0, TOP_K)) {
    if (kept.every((j) => overlap(boxes[i], boxes[j]) <= threshold)) kept.push(i);
  }
  return kept.map((i) => rows[i]);
}

function overlap([ax, ay, aw, ah], [bx, by, bw, bh]) {
  const shared =
    Math.max(0, Math.min(ax + aw, bx + bw) - Math.max(ax, bx)) *
    Math.max(0, Math.min(ay + ah, by + bh) - Math.max(ay, by));
  const union = aw * ah + bw * bh - shared;
  return union > 0 ? shared / union : 1;
}
