// What is said of a face over time: fer_cbam/smoothing. A smoother has `name`, and
// `step(face, seconds, state)` with the seconds since the last frame of a face, what it remembers
// of it (null at first). It gives {probs, state}. face: of recognizer.mjs; probs: label ->
// probability. softens: what it divides log-probabilities by after all else; see Decision.softened.

import { expectedShares } from "./prior.mjs";

const HALF_LIFE = 0.25; // seconds after which a new expression weighs as much as the old one
// Of the filter: changes a second, seconds between news, and see above.
const [RATE, ANEW, SOFTENS] = [1.6, 0.03, 1.9];
const LEAST = 1e-9; // probability

// The exponential moving average of the probabilities.
export function average() {
  const step = ({ probs }, seconds, state) => {
    const weight = state ? 1 - 0.5 ** (seconds / HALF_LIFE) : 1;
    const mix = ([label, p]) => [label, state ? state[label] + weight * (p - state[label]) : p];
    const mixed = Object.fromEntries(Object.entries(probs).map(mix));
    return { probs: mixed, state: mixed };
  };
  return { name: "average", softens: 1, step };
}

// A hidden-Markov filter: a face keeps its expression, or takes another at some rate. prior: label
// -> how often it is met.
export function filter(prior, rate = RATE, anew = ANEW, softens = SOFTENS) {
  const labels = Object.keys(prior);
  const met = labels.map((label) => Math.max(prior[label], LEAST));
  const step = ({ probs }, seconds, state) => {
    const kept = Math.exp(-rate * seconds);
    const counts = state ? 1 - Math.exp(-seconds / anew) : 1;
    const belief = labels.map((label, i) => {
      const before = state ? kept * state[label] + (1 - kept) * met[i] : met[i];
      const evidence = Math.max(probs[label], LEAST) / met[i];
      return Math.max(before * evidence ** counts, LEAST);
    });
    const told = belief.map((value) => value ** (1 / softens));
    return { probs: shares(labels, told), state: shares(labels, belief) };
  };
  return { name: "filter", softens, step };
}

function shares(labels, values) {
  const total = values.reduce((sum, value) => sum + value, 0);
  return Object.fromEntries(labels.map((label, i) => [label, values[i] / total]));
}

// Each frame on its own.
const none = { name: "none", softens: 1, step: ({ probs }) => ({ probs, state: probs }) };

// Label -> its share of the faces that the probabilities are for; null where nothing says it.
function metBy(config, labels, prior) {
  const given = config.prior ?? config.training?.prior;
  if (!labels.every((label) => given?.[label] > 0)) return null;
  const own = labels.map((label) => given[label]);
  const met = prior === null ? own : expectedShares(prior, own, labels);
  return Object.fromEntries(labels.map((label, i) => [label, met[i]]));
}

// The smoother of a recogniser by its name; without one the first that there is: the filter where
// config.json says how often each label was met, its network, the average.
export function smootherOf({ config, labels, network, prior = null }, name = null) {
  const met = metBy(config, labels, prior);
  const known = {
    network: () => network,
    filter: () => met && filter(met),
    average,
    none: () => none,
  };
  if (name && known[name]?.()) return known[name]();
  return known.filter() || (network ?? average());
}
