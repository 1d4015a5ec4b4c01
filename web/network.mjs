// A FER-CBAM network on the kernel: faces to logits, embedding, the Grad-CAM of every class and the
// last spatial gate, in one pass.

import { architectureOf, tensorShapes } from "./architectures.mjs";
import { WeightsError } from "./errors.mjs";
import { checkTensors } from "./tensors.mjs";

const NORM_EPS = { true: 1e-3, false: 1e-5 }; // of BatchNorm behind, and before the activation
const GATE_EPS = 1e-5;
const LEAST_STD = 0.02; // of InputNorm
const BATCH = 16; // faces at once

export class Network {
  #layers;
  #head;
  #largest; // floats of one face's largest map

  // tensors: of readSafetensors(). config: of config.json. labels: how many. side: of a crop.
  // Throws WeightsError for tensors of another network.
  constructor(kernel, tensors, config, labels, side) {
    const made = architectureOf(config, labels, side, [...tensors.keys()]);
    checkTensors(tensors, tensorShapes(made), "model.safetensors");
    this.kernel = kernel;
    this.made = made;
    const read = (name) => tensors.get(name).data;
    const { layers, channels, last } = plan(kernel, made, read);
    this.#layers = layers;
    this.#head = made.hidden_size
      ? flatHead(kernel, made, read, channels, last)
      : pooledHead(kernel, made, read, channels, last);
    const input = mapFloats(side, made.in_chans);
    this.#largest = Math.max(input, ...layers.map((layer) => layer.floats));
    this.mapSize = last;
    this.embeddingSize = made.hidden_size || channels;
    this.hasGate = made.attention.some((kind) => kind && kind !== "channel");
  }

  // faces: float32 [count][channels][side][side], preprocessed. Gives Float32Arrays logits
  // [count][K], embedding [count][D], maps [count][K][h][h] and gate [count][h][h], or null.
  // Throws WeightsError where the network's answer is no number.
  forward(faces, count) {
    const { made, mapSize } = this;
    const places = mapSize ** 2;
    const sizes = {
      logits: made.num_classes,
      embedding: this.embeddingSize,
      maps: made.num_classes * places,
      gate: places,
    };
    const found = {};
    for (const [name, size] of Object.entries(sizes)) found[name] = new Float32Array(count * size);
    const each = made.in_chans * made.side ** 2;
    for (let first = 0; first < count; first += BATCH) {
      const n = Math.min(BATCH, count - first);
      this.#run(faces.subarray(first * each, (first + n) * each), n, sizes, (name, values) =>
        found[name].set(values, first * sizes[name]),
      );
    }
    if (!found.logits.every(Number.isFinite)) {
      throw new WeightsError("the network's answer is no number; expected other weights");
    }
    if (!this.hasGate) found.gate = null;
    return found;
  }

  #run(faces, n, sizes, keep) {
    const { kernel, made } = this;
    kernel.within(() => {
      const out = {};
      for (const [name, size] of Object.entries(sizes)) out[name] = kernel.takeFloats(n * size);
      let [from, to] = [0, 1].map(() => kernel.takeFloats(n * this.#largest));
      const steps = [...this.#layers, this.#head];
      const scratch = kernel.takeFloats(Math.max(...steps.map((step) => step.scratch)));
      const input = kernel.put(faces);
      const { in_chans: channels, side, input_norm: norm } = made;
      kernel.call.input_maps(input, n, channels, side, side, norm ? 1 : 0, LEAST_STD, from);
      for (const layer of this.#layers) {
        layer.run(n, from, to, scratch, out.gate);
        if (!layer.inPlace) [from, to] = [to, from];
      }
      this.#head.run(n, from, out, scratch);
      for (const [name, size] of Object.entries(sizes)) {
        keep(name, kernel.floats(out[name], n * size));
      }
    });
  }
}

const mapFloats = (side, channels) => (side + 2) ** 2 * channels;

// A layer has `run(n, from, to, scratch, gate)`, the floats of its map and of its scratch, and
// whether it works in place.
function plan(kernel, made, read) {
  const layers = [];
  let [side, channels] = [made.side, made.in_chans];
  const pool = () => {
    layers.push(maxPool(kernel, side, channels));
    side /= 2;
  };
  made.channels.forEach((count, stage) => {
    if (!made.pool_last && stage > 0) pool();
    for (let i = 0; i < made.depths[stage]; i += 1) {
      const prefix = `stages.${stage}.convs.${i}`;
      layers.push(...convolution(kernel, made, read, prefix, side, channels, count));
      channels = count;
    }
    if (made.pool_last) pool();
    const kind = made.attention[stage];
    layers.push(...attention(kernel, read, `stages.${stage}.attention`, kind, side, channels));
  });
  return { layers, channels, last: side };
}

function maxPool(kernel, side, channels) {
  const run = (n, from, to) => kernel.call.max_pool(from, n, side, side, channels, to);
  return { run, floats: mapFloats(side / 2, channels), scratch: 0, inPlace: false };
}

// BatchNorm as x * scale + shift.
function folded(read, prefix, eps) {
  const variance = read(`${prefix}.running_var`);
  const scale = read(`${prefix}.weight`).map((w, i) => w / Math.sqrt(variance[i] + eps));
  const mean = read(`${prefix}.running_mean`);
  const shift = read(`${prefix}.bias`).map((b, i) => b - mean[i] * scale[i]);
  return { scale, shift };
}

// A 3x3 convolution, BatchNorm and activation, in either order.
function convolution(kernel, made, read, prefix, side, cin, cout) {
  let weights = read(`${prefix}.conv.weight`);
  let bias = made.norm_last ? read(`${prefix}.conv.bias`) : null;
  const norm = folded(read, `${prefix}.norm`, NORM_EPS[made.norm_last]);
  if (!made.norm_last) {
    const each = cin * 9;
    weights = weights.map((w, i) => w * norm.scale[Math.floor(i / each)]);
    bias = norm.shift;
  }
  const isElu = made.act_layer === "elu";
  const layers = [makeConv(kernel, weights, bias, side, cin, cout, isElu ? 0 : 1)];
  if (isElu) {
    const run = (n, map) => kernel.call.elu(map, n, side, side, cout);
    layers.push({ run, floats: 0, scratch: 0, inPlace: true });
  }
  if (made.norm_last) {
    const [scale, shift] = [kernel.put(norm.scale), kernel.put(norm.shift)];
    const run = (n, map) => kernel.call.scale_shift(map, n, side, side, cout, scale, shift);
    layers.push({ run, floats: 0, scratch: 0, inPlace: true });
  }
  return layers;
}

function makeConv(kernel, weights, bias, side, cin, cout, relu) {
  const { call } = kernel;
  const offset = kernel.put(bias);
  const floats = mapFloats(side, cout);
  if (cin % 8) {
    const packed = kernel.put(transposed(weights, cout, cin));
    const run = (n, from, to) =>
      call.first_conv(from, n, side, side, cin, 1, packed, offset, cout, relu, to);
    return { run, floats, scratch: 0, inPlace: false };
  }
  const tile = side % 4 ? 2 : 4;
  const packed = kernel.takeFloats((tile + 2) ** 2 * cin * cout);
  kernel.within(() => call.winograd_weights(kernel.put(weights), cout, cin, tile, packed));
  const run = (n, from, to, scratch) =>
    call.winograd(from, n, side, side, cin, tile, packed, offset, cout, relu, to, scratch);
  return { run, floats, scratch: call.winograd_scratch(cin, cout), inPlace: false };
}

// [cout][cin][3][3] -> [3][3][cin][cout]
export function transposed(weights, cout, cin) {
  const out = new Float32Array(weights.length);
  for (let o = 0; o < cout; o += 1) {
    for (let i = 0; i < cin; i += 1) {
      for (let q = 0; q < 9; q += 1) {
        out[(q * cin + i) * cout + o] = weights[(o * cin + i) * 9 + q];
      }
    }
  }
  return out;
}

function attention(kernel, read, prefix, kind, side, channels) {
  const layers = [];
  const { call } = kernel;
  if (kind && kind !== "spatial") {
    const down = read(`${prefix}.channel.mlp.0.weight`);
    const hidden = down.length / channels;
    const [first, second] = [kernel.put(down), kernel.put(read(`${prefix}.channel.mlp.2.weight`))];
    const run = (n, map, _, scratch) =>
      call.channel_attention(map, n, side, side, channels, hidden, first, second, scratch);
    layers.push({ run, floats: 0, scratch: 4 * channels, inPlace: true });
  }
  if (kind && kind !== "channel") {
    const normalized = kind === "cbam_normalized";
    const weights = kernel.put(read(`${prefix}.spatial.conv.weight`));
    const norm = normalized && folded(read, `${prefix}.spatial.norm`, GATE_EPS);
    const [scale, shift] = norm ? [norm.scale[0], norm.shift[0]] : [1, 0];
    const flag = normalized ? 1 : 0;
    const run = (n, map, _, scratch, gate) =>
      call.spatial_attention(
        map, n, side, side, channels, weights, flag, scale, shift, gate, scratch,
      );
    layers.push({ run, floats: 0, scratch: 2 * (side + 6) ** 2, inPlace: true });
  }
  return layers;
}

function pooledHead(kernel, made, read, channels, side) {
  const [weights, bias] = [kernel.put(read("head.fc.weight")), kernel.put(read("head.fc.bias"))];
  const run = (n, map, { logits, embedding, maps }) =>
    kernel.call.pooled_head(
      map, n, side, side, channels, made.num_classes, weights, bias, logits, embedding, maps,
    );
  return { run, scratch: 0 };
}

function flatHead(kernel, made, read, channels, side) {
  const { hidden_size: hidden, num_classes: labels } = made;
  const given = read("head.hidden.weight"); // [hidden][channels][side][side]
  const places = side ** 2;
  const dense = new Float32Array(given.length); // [hidden][side][side][channels]
  const byChannel = new Float32Array(hidden * channels);
  for (let row = 0; row < hidden * channels; row += 1) {
    const [j, channel] = [Math.floor(row / channels), row % channels];
    let sum = 0;
    for (let place = 0; place < places; place += 1) {
      const weight = given[row * places + place];
      dense[(j * places + place) * channels + channel] = weight;
      sum += weight;
    }
    byChannel[row] = sum / places;
  }
  const [denseAt, byChannelAt] = [kernel.put(dense), kernel.put(byChannel)];
  const [denseBias, weights, bias] = ["hidden.bias", "fc.weight", "fc.bias"].map((name) =>
    kernel.put(read(`head.${name}`)),
  );
  const run = (n, map, { logits, embedding, maps }, scratch) =>
    kernel.call.flat_head(
      map, n, side, side, channels, hidden, denseAt, denseBias, byChannelAt, labels, weights, bias,
      logits, embedding, maps, scratch,
    );
  return { run, scratch: labels * channels + hidden };
}
