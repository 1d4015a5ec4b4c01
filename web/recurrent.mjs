// A recurrent network that answers over time, a step at a time: fer_cbam/smoothing/recurrent.py.
// Two matrix products for a face and a frame, which take a tenth of a millisecond as they stand.

import { cuesOf } from "./cues.mjs";
import { WeightsError } from "./errors.mjs";
import { filter } from "./smoothing.mjs";

const [SHORTEST, LONGEST] = [1e-3, 10]; // seconds between two frames that are told apart
const LOG_MIDDLE = -2.5; // logarithm of a twelfth of a second
const LEAST = 1e-6; // probability
const CUES = 8;

const sigmoid = (x) => 0.5 * (1 + Math.tanh(0.5 * x)); // does not overflow

// matrix: {shape: [rows, columns], data}. Gives matrix x + bias.
function linear({ shape: [rows, columns], data }, bias, x) {
  const out = new Float64Array(rows);
  for (let row = 0, at = 0; row < rows; row += 1) {
    let sum = bias.data[row];
    for (let column = 0; column < columns; column += 1, at += 1) sum += data[at] * x[column];
    out[row] = sum;
  }
  return out;
}

// A smoother, see smoothing.mjs. config: of its config.json. tensors: of readSafetensors().
// embedding: how many numbers the network that reads the frames gives. Throws WeightsError for
// tensors that do not fit.
export function recurrent(config, tensors, labels, embedding) {
  const lstm = config.architecture === "fer_cbam_lstm";
  const own = named(tensors, labels.length, embedding, lstm ? 4 : 3);
  const hidden = own.past.shape[1];
  const fade = Float64Array.from(own.fade.data, (value) => Math.log1p(Math.exp(value)));
  const temperature = config.temperature ?? 1;

  function features(face) {
    const logs = labels.map((label) => Math.log(Math.max(face.probs[label], LEAST)));
    return Float32Array.from([...logs, ...cuesOf(face), ...face.embedding]);
  }

  function cell(gates, state) {
    const past = linear(own.past, own.pastBias, state.subarray(0, hidden));
    if (lstm) return longShort(gates, past, state, hidden);
    const next = new Float64Array(hidden);
    for (let i = 0; i < hidden; i += 1) {
      const reset = sigmoid(gates[i] + past[i]);
      const kept = sigmoid(gates[hidden + i] + past[hidden + i]);
      const proposed = Math.tanh(gates[2 * hidden + i] + reset * past[2 * hidden + i]);
      next[i] = (1 - kept) * proposed + kept * state[i];
    }
    return next;
  }

  const filtering = filterOf(config, labels);

  // With a filter in the config the network is shown what that says by then.
  function step(face, seconds, before) {
    if (!filtering) return stepOf(face, seconds, before);
    const { probs, state: belief } = filtering.step(face, seconds, before?.belief ?? null);
    const said = stepOf({ ...face, probs }, seconds, before?.own ?? null);
    return { probs: said.probs, state: { belief, own: said.state } };
  }

  function stepOf(face, seconds, before) {
    const x = features(face);
    const since = before ? Math.min(seconds, LONGEST) : 0;
    const scaled = Float64Array.from(x, (v, i) => (v - own.mean.data[i]) / own.std.data[i]);
    const passed = Math.log(Math.max(since, SHORTEST)) - LOG_MIDDLE;
    const z = linear(own.inputs, own.inputsBias, [...scaled, passed]).map((v) => Math.max(v, 0));
    const old = before ?? new Float64Array(fade.length);
    const state = cell(
      linear(own.cell, own.cellBias, z),
      old.map((value, i) => value * Math.exp(-since * fade[i])),
    );
    const share = sigmoid(linear(own.gate, own.gateBias, state)[0]);
    const added = linear(own.fc, own.fcBias, state);
    const logits = added.map((value, i) => (value + share * x[i]) / temperature);
    return { probs: softmax(labels, logits), state };
  }
  return { name: "network", softens: 1, step };
}

function filterOf({ filter: given }, labels) {
  if (!given) return null;
  const { prior, rate, anew } = given;
  if (!labels.every((label) => prior?.[label] > 0) || !(rate > 0) || !(anew > 0)) {
    throw new WeightsError("filter: expected prior of each label, rate and anew");
  }
  return filter(Object.fromEntries(labels.map((label) => [label, prior[label]])), rate, anew, 1);
}

function longShort(gates, past, state, hidden) {
  const next = new Float64Array(2 * hidden);
  for (let i = 0; i < hidden; i += 1) {
    const [enter, forget, proposed, shown] = [0, 1, 2, 3].map(
      (gate) => gates[gate * hidden + i] + past[gate * hidden + i],
    );
    const c = sigmoid(forget) * state[hidden + i] + sigmoid(enter) * Math.tanh(proposed);
    next[i] = sigmoid(shown) * Math.tanh(c);
    next[hidden + i] = c;
  }
  return next;
}

function softmax(labels, logits) {
  const most = Math.max(...logits);
  const shares = Array.from(logits, (value) => Math.exp(value - most));
  const total = shares.reduce((sum, value) => sum + value, 0);
  return Object.fromEntries(labels.map((label, i) => [label, shares[i] / total]));
}

// The tensors by what they are for.
function named(tensors, labels, embedding, gates) {
  const places = {
    mean: "mean", std: "std", inputs: "inputs.weight", inputsBias: "inputs.bias",
    cell: "forwards.input.weight", cellBias: "forwards.input.bias",
    past: "forwards.recurrent.weight", pastBias: "forwards.recurrent.bias",
    fade: "forwards.fade", gate: "gate.weight", gateBias: "gate.bias",
    fc: "fc.weight", fcBias: "fc.bias",
  };
  const found = Object.entries(places).map(([key, name]) => [key, tensors.get(name)]);
  const own = Object.fromEntries(found);
  const [width] = own.inputs?.shape ?? [];
  const hidden = own.past?.shape[1];
  const count = labels + CUES + embedding;
  const shapes = {
    mean: [count], std: [count], inputs: [width, count + 1], inputsBias: [width],
    cell: [gates * hidden, width], cellBias: [gates * hidden],
    past: [gates * hidden, hidden], pastBias: [gates * hidden],
    fade: [gates === 4 ? 2 * hidden : hidden], gate: [1, hidden], gateBias: [1],
    fc: [labels, hidden], fcBias: [labels],
  };
  for (const [key, name] of Object.entries(places)) {
    const shape = String(own[key]?.shape ?? "missing");
    if (shape !== String(shapes[key])) {
      throw new WeightsError(`${name}: ${shape}; expected ${shapes[key]}`);
    }
  }
  return own;
}
