// What a network is made of, from its config.json: fer_cbam/models/fer_cbam.py.

import { WeightsError } from "./errors.mjs";

// Those of FerCbam itself, which are the paper's.
const PAPER = {
  in_chans: 1,
  channels: [32, 64, 128],
  depths: [2, 2, 2],
  attention: ["", "", "cbam"],
  reduction: 16,
  act_layer: "elu",
  hidden_size: 64,
  norm_last: true,
  input_norm: false,
  pool_last: true,
};
const POOLED = {
  ...PAPER,
  depths: [2, 2, 3, 3],
  attention: ["", "", "cbam", "cbam_normalized"],
  act_layer: "relu",
  hidden_size: 0,
  norm_last: false,
  input_norm: true,
  pool_last: false,
};
const ARCHITECTURES = {
  fer_cbam_paper: PAPER,
  fer_cbam_base: { ...POOLED, channels: [32, 64, 160, 320] },
  fer_cbam_tiny: { ...POOLED, channels: [16, 32, 64, 120] },
};
const WITHOUT_EFFECT = ["block_drop_rate", "drop_rate", "img_size", "num_classes"];
const KINDS = ["", "cbam", "cbam_normalized", "channel", "spatial"];
// Of a head without a dense layer, and with one.
const POOLINGS = { true: ["", "avg"], false: ["", "flatten"] };

// config: of config.json. labels: how many. side: pixels of a crop. names: of the tensors, by which
// weights of version 0.2, whose last gate is not normalised, are known.
// Throws WeightsError for a network that is not known here.
export function architectureOf(config, labels, side, names) {
  const known = ARCHITECTURES[config.architecture];
  if (!known) {
    const all = Object.keys(ARCHITECTURES).join(", ");
    throw new WeightsError(`architecture ${config.architecture}; expected one of ${all}`);
  }
  const { global_pool: pooling, ...given } = config.model_args ?? {};
  const made = { ...known, num_classes: labels, side };
  for (const [key, value] of Object.entries(given)) {
    if (WITHOUT_EFFECT.includes(key)) continue;
    if (!(key in known)) throw new WeightsError(`model_args: ${key} is not known here`);
    made[key] = value;
  }
  if (!names.some((name) => name.includes(".attention.spatial.norm."))) {
    made.attention = [made.attention].flat().map((kind) => `${kind}`.split("_")[0]);
  }
  check(made, pooling ?? "");
  return made;
}

const isCount = (value) => Number.isInteger(value) && value > 0 && value <= 4096;
const isListOf = (values, length, test) =>
  Array.isArray(values) && values.length === length && values.every(test);

function check(made, pooling) {
  const stages = made.channels?.length;
  const poolings = POOLINGS[made.hidden_size === 0];
  const rules = [
    ["channels", "multiples of 8", isListOf(made.channels, stages, (n) => isCount(n) && !(n % 8))],
    ["depths", "a number above 0 for each stage", isListOf(made.depths, stages, isCount)],
    [
      "attention",
      `one of ${KINDS.join(", ")} for each stage`,
      isListOf(made.attention, stages, (kind) => KINDS.includes(kind)),
    ],
    ["act_layer", "relu or elu", ["relu", "elu"].includes(made.act_layer)],
    ["reduction", "a number above 0", isCount(made.reduction)],
    ["in_chans", "1 or 3", made.in_chans === 1 || made.in_chans === 3],
    ["hidden_size", "a number of neurons", made.hidden_size === 0 || isCount(made.hidden_size)],
  ];
  for (const [key, expected, holds] of rules) {
    if (!holds) throw new WeightsError(`model_args: ${key} ${made[key]}; expected ${expected}`);
  }
  if (!poolings.includes(pooling)) {
    throw new WeightsError(`model_args: global_pool ${pooling}; expected ${poolings[1]}`);
  }
  const least = 2 ** stages; // the map of the last convolution has even sides
  if (made.side % Math.max(4, least)) {
    throw new WeightsError(`input_size ${made.side}; expected a multiple of ${Math.max(4, least)}`);
  }
}

// Name -> shape of every tensor of such a network.
export function tensorShapes({ side, ...made }) {
  const shapes = new Map();
  const norm = (prefix, count) => {
    for (const name of ["weight", "bias", "running_mean", "running_var"]) {
      shapes.set(`${prefix}.${name}`, [count]);
    }
  };
  let before = made.in_chans;
  made.channels.forEach((count, stage) => {
    for (let i = 0; i < made.depths[stage]; i += 1) {
      const prefix = `stages.${stage}.convs.${i}`;
      shapes.set(`${prefix}.conv.weight`, [count, before, 3, 3]);
      if (made.norm_last) shapes.set(`${prefix}.conv.bias`, [count]);
      norm(`${prefix}.norm`, count);
      before = count;
    }
    const [kind, prefix] = [made.attention[stage], `stages.${stage}.attention`];
    if (kind && kind !== "spatial") {
      const hidden = Math.max(1, Math.floor(count / made.reduction));
      shapes.set(`${prefix}.channel.mlp.0.weight`, [hidden, count, 1, 1]);
      shapes.set(`${prefix}.channel.mlp.2.weight`, [count, hidden, 1, 1]);
    }
    if (kind && kind !== "channel") shapes.set(`${prefix}.spatial.conv.weight`, [1, 2, 7, 7]);
    if (kind === "cbam_normalized") norm(`${prefix}.spatial.norm`, 1);
  });
  if (made.hidden_size) {
    const last = side / 2 ** made.channels.length;
    shapes.set("head.hidden.weight", [made.hidden_size, before * last * last]);
    shapes.set("head.hidden.bias", [made.hidden_size]);
  }
  shapes.set("head.fc.weight", [made.num_classes, made.hidden_size || before]);
  shapes.set("head.fc.bias", [made.num_classes]);
  return shapes;
}
