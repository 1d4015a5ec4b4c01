// The tensors of a safetensors file: https://github.com/huggingface/safetensors#format

import { WeightsError } from "./errors.mjs";

const BYTES = { F16: 2, F32: 4 };
const OTHERS = ["BOOL", "I8", "U8", "I16", "U16", "I32", "U32", "I64", "U64"]; // no weights

// buffer: ArrayBuffer. Gives name -> {shape, data: Float32Array} of all floating-point tensors.
// Throws WeightsError for a file that is damaged, or none.
export function readSafetensors(buffer, file = "model.safetensors") {
  const { header, start } = readHeader(buffer, file);
  const tensors = new Map();
  for (const [name, tensor] of Object.entries(header)) {
    if (name === "__metadata__" || OTHERS.includes(tensor?.dtype)) continue;
    tensors.set(name, readTensor(buffer, start, tensor, `${file}: ${name}`));
  }
  return tensors;
}

function readHeader(buffer, file) {
  const size = buffer.byteLength;
  const length = size < 8 ? Infinity : Number(new DataView(buffer).getBigUint64(0, true));
  if (length > size - 8) {
    throw new WeightsError(`${file}: ${size} bytes, cut off or no safetensors file`);
  }
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    const header = JSON.parse(decoder.decode(new Uint8Array(buffer, 8, length)));
    if (header && typeof header === "object") return { header, start: 8 + length };
  } catch {
    // said below
  }
  throw new WeightsError(`${file}: its header is no JSON object; expected a safetensors file`);
}

function readTensor(buffer, start, tensor, where) {
  const { dtype, shape, data_offsets: offsets } = tensor ?? {};
  const size = BYTES[dtype];
  if (!size) throw new WeightsError(`${where} is ${dtype}; expected F16 or F32`);
  const whole = (value) => Number.isSafeInteger(value) && value >= 0;
  const pairs = Array.isArray(shape) && Array.isArray(offsets) && offsets.length === 2;
  if (!pairs || ![...shape, ...offsets].every(whole)) {
    throw new WeightsError(`${where}: no shape and offsets; expected whole numbers`);
  }
  const count = shape.reduce((product, side) => product * side, 1);
  const [from, to] = offsets.map((offset) => start + offset);
  if (to - from !== count * size || to > buffer.byteLength) {
    const found = `bytes ${from} to ${to} of ${buffer.byteLength}`;
    throw new WeightsError(`${where}: ${found} for shape [${shape}]; cut off or damaged`);
  }
  const bytes = buffer.slice(from, to); // a copy, which begins at a multiple of 4
  const data = dtype === "F32" ? new Float32Array(bytes) : fromHalf(new Uint16Array(bytes));
  return { shape, data };
}

let halves = null; // what each of the 65,536 half floats is

function fromHalf(values) {
  halves ??= Float32Array.from({ length: 65536 }, (_, bits) => halfValue(bits));
  return Float32Array.from(values, (bits) => halves[bits]);
}

function halfValue(bits) {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent ? sign * (1024 + fraction) * 2 ** (exponent - 25) : sign * fraction * 2 ** -24;
}
