// How often labels were met and how often they are expected: fer_cbam/prior.py, which says why.

import { PriorError, WeightsError } from "./errors.mjs";

const NAMED = { training: 0, uniform: 1 };

// Logarithms of the shares that the calibrated probabilities are for.
export function logPrior(shares, labels, where) {
  const missing = labels.filter((label) => !(shares?.[label] > 0));
  if (missing.length) {
    throw new WeightsError(`${where}: nothing of ${missing.join(", ")}; expected a share above 0`);
  }
  return labels.map((label) => Math.log(shares[label]));
}

// What is added to scores for (1 - balance) * accuracy + balance * balanced accuracy.
export function balanceOffset(log, balance) {
  if (!(balance >= 0 && balance <= 1)) {
    throw new WeightsError(`balance: got ${balance}; expected a number in [0, 1]`);
  }
  return log.map((value) => Math.log(1 - balance + (balance * Math.exp(-value)) / log.length));
}

// The share of each label among the faces that the calibrated probabilities are of.
export function ownShares({ prior, training }, labels) {
  return logPrior(prior ?? training?.prior, labels, "prior").map(Math.exp);
}

// The share of each label that is expected, summing to 1. prior: see Decision.of. own: of
// ownShares.
export function expectedShares(prior, own, labels) {
  const mix = NAMED[prior] ?? prior;
  if (mix && typeof mix === "object") return normalised(mix, labels);
  if (!(typeof mix === "number" && mix >= 0 && mix <= 1)) {
    const expected = "training, uniform, a number from 0 to 1, or a share for each label";
    throw new PriorError(`prior: got ${prior}; expected ${expected}`);
  }
  const total = own.reduce((sum, share) => sum + share, 0);
  return own.map((share) => ((1 - mix) * share) / total + mix / own.length);
}

function normalised(shares, labels) {
  const wrong = [
    ...labels.filter((label) => !Object.hasOwn(shares, label)),
    ...Object.keys(shares).filter((label) => !labels.includes(label)),
  ];
  if (wrong.length) {
    const expected = `a share for each of ${labels.join(", ")}, and no other`;
    throw new PriorError(`prior: ${wrong.join(", ")}; expected ${expected}`);
  }
  const values = labels.map((label) => shares[label]);
  const total = values.reduce((sum, share) => sum + share, 0);
  if (!values.every((share) => Number.isFinite(share) && share >= 0) || !(total > 0)) {
    throw new PriorError(`prior: got ${values}; expected shares of 0 or more, one above 0`);
  }
  return values.map((share) => share / total);
}
