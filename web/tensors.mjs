// Held against what a network expects before any of it is used.

import { WeightsError } from "./errors.mjs";

// found: name -> {shape, data}. expected: name -> shape. file: to be named in an error. Throws
// WeightsError for tensors that are missing, unexpected, of another shape, or not finite.
export function checkTensors(found, expected, file) {
  const problems = [];
  for (const name of [...expected.keys()].sort()) {
    if (!found.has(name)) problems.push(`missing ${name}`);
  }
  for (const [name, { shape }] of found) {
    const wanted = expected.get(name);
    if (!wanted) problems.push(`unexpected ${name}`);
    else if (`${shape}` !== `${wanted}`) {
      problems.push(`${name} is [${shape}], expected [${wanted}]`);
    }
  }
  if (problems.length) {
    const more = problems.length > 4 ? ` and ${problems.length - 4} more` : "";
    const first = problems.slice(0, 4).join("; ");
    throw new WeightsError(`${file}: not the weights of this network: ${first}${more}`);
  }
  for (const [name, { data }] of found) {
    if (!data.every(Number.isFinite)) {
      throw new WeightsError(`${file}: ${name} holds numbers that are not finite`);
    }
  }
}
