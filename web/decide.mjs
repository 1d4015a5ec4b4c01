// From logits to an answer: fer_cbam/decide.py, which says what the numbers of config.json mean.

import { WeightsError } from "./errors.mjs";
import { balanceOffset, expectedShares, logPrior, ownShares } from "./prior.mjs";

export class Decision {
  // labels: in the order of the logits. bias: added to logits / temperature before the softmax.
  // lift: added to the log-probabilities before the largest is said, -Infinity for a label that
  // never is. probe: {weights, bias} of the embedding, or null.
  constructor(labels, { temperature = 1, bias, lift, uncertainBelow = 0, probe = null } = {}) {
    Object.assign(this, { labels, temperature, uncertainBelow, probe });
    this.bias = bias ?? labels.map(() => 0);
    this.lift = lift ?? labels.map(() => 0);
    this.#check();
  }

  #check() {
    const { temperature, bias, uncertainBelow } = this;
    if (!(temperature > 0 && temperature < Infinity)) {
      throw new WeightsError(`temperature: got ${temperature}; expected a number above 0`);
    }
    const [met, said] = [bias, this.lift].map((all) => all.filter((v) => v !== -Infinity));
    if (![...met, uncertainBelow, ...said].every(Number.isFinite)) {
      throw new WeightsError("bias, uncertain_below or decision: expected finite numbers");
    }
    if (!said.length) {
      throw new WeightsError("decision: every label is silent; expected one that can be said");
    }
  }

  // config: of config.json. prior: the mix of labels that is expected, "training", "uniform", a
  // number from 0 (training) to 1 (uniform), or label -> share; it takes the place of `decision`.
  // Throws WeightsError for numbers that do not fit the labels, PriorError for such a prior.
  static of(config, labels, prior = null) {
    const temperature = Number(config.temperature ?? 1);
    const uncertainBelow = Number(config.uncertain_below ?? 0);
    const probe = probeOf(config.face_probe);
    if (!config.decision && prior === null) {
      return new Decision(labels, { temperature, uncertainBelow, probe });
    }
    const offset = releaseOffset(config, labels);
    const given = numbersOf(config.bias, labels, "bias");
    const bias = given.map((value, i) => value - offset[i] / temperature);
    if (prior === null) {
      const lift = liftOf(config, labels);
      return new Decision(labels, { temperature, bias, lift, uncertainBelow, probe });
    }
    const own = ownShares(config, labels);
    const wanted = expectedShares(prior, own, labels);
    const moved = bias.map((value, i) => value + Math.log(wanted[i]) - Math.log(own[i]));
    return new Decision(labels, { temperature, bias: moved, uncertainBelow, probe });
  }

  // Says of probabilities whose logarithms were divided by a temperature (and that sum to 1 again)
  // the labels that this one says of the undivided.
  softened(divisor) {
    const { labels, temperature, bias, uncertainBelow, probe } = this;
    const lift = this.lift.map((value) => value / divisor);
    return new Decision(labels, { temperature, bias, lift, uncertainBelow, probe });
  }

  // Logits -> calibrated probabilities by label.
  posterior(logits) {
    const scores = this.labels.map((_, i) => logits[i] / this.temperature + this.bias[i]);
    const most = Math.max(...scores);
    const powers = scores.map((score) => Math.exp(score - most));
    const total = powers.reduce((sum, power) => sum + power, 0);
    return Object.fromEntries(this.labels.map((label, i) => [label, powers[i] / total]));
  }

  // Whether an embedding is taken for that of a face.
  isFace(embedding) {
    if (!this.probe) return true;
    const { weights, bias } = this.probe;
    if (weights.length !== embedding.length) {
      const expected = `${embedding.length}, as in the embedding`;
      throw new WeightsError(`face_probe: for ${weights.length} numbers; expected ${expected}`);
    }
    return weights.reduce((sum, weight, i) => sum + weight * embedding[i], bias) >= 0;
  }

  // {label, confidence, uncertain, no_face, probs} of one face.
  prediction(logits, embedding) {
    return this.ofProbs(this.posterior(logits), !this.isFace(embedding));
  }

  // The same of calibrated probabilities by label, such as a mean over time.
  ofProbs(probs, noFace = false) {
    let [said, best] = [this.labels[0], -Infinity];
    this.labels.forEach((label, i) => {
      const score = Math.log(probs[label]) + this.lift[i];
      if (score > best) [said, best] = [label, score];
    });
    const confidence = probs[said];
    const uncertain = confidence < this.uncertainBelow;
    return { label: said, confidence, uncertain, no_face: noFace, probs: { ...probs } };
  }
}

// A number for each label, 0 where none is given.
function numbersOf(given, labels, where) {
  const unknown = Object.keys(given ?? {}).filter((label) => !labels.includes(label));
  if (unknown.length) {
    const expected = `some of ${labels.join(", ")}`;
    throw new WeightsError(`${where}: ${unknown.join(", ")}; expected ${expected}`);
  }
  return labels.map((label) => Number(given?.[label] ?? 0));
}

// What a release has added to the logits.
function releaseOffset(config, labels) {
  if (config.balance === undefined) return labels.map(() => 0);
  const log = logPrior(config.training?.prior, labels, "training prior");
  return balanceOffset(log, config.balance);
}

function liftOf({ decision, prior, training }, labels) {
  const shift = numbersOf(decision.shift, labels, "decision: shift");
  const log = decision.balance ? logPrior(prior ?? training?.prior, labels, "prior") : null;
  const offset = log ? balanceOffset(log, decision.balance) : labels.map(() => 0);
  const silent = decision.silent ?? [];
  if (!Array.isArray(silent)) throw new WeightsError("decision: silent: expected a list of labels");
  numbersOf(Object.fromEntries(silent.map((label) => [label, 1])), labels, "decision: silent");
  return labels.map((label, i) => (silent.includes(label) ? -Infinity : shift[i] + offset[i]));
}

function probeOf(probe) {
  if (!probe) return null;
  const { weights, bias } = probe;
  if (!Array.isArray(weights) || ![...weights, bias].every(Number.isFinite)) {
    throw new WeightsError("face_probe: expected weights and a bias, finite numbers");
  }
  return { weights, bias };
}
