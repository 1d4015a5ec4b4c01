// The weights in an ONNX file, read from its protobuf: onnx/onnx.proto. The graph itself is not:
// who calls knows it.

import { WeightsError } from "./errors.mjs";

const GRAPH = 7; // of ModelProto
const INITIALIZER = 5; // of GraphProto
const TENSOR = { dims: 1, type: 2, name: 8, raw: 9 };
const FLOAT = 1;
const FIXED = { 1: 8, 5: 4 }; // bytes of a number of that wire type

// buffer: ArrayBuffer. Gives name -> {shape, data: Float32Array} of all float tensors that hold
// their bytes raw. Throws WeightsError for a file that is damaged, or none.
export function readOnnxTensors(buffer, file = "model.onnx") {
  const bytes = new Uint8Array(buffer);
  const tensors = new Map();
  try {
    for (const graph of messages(fields(bytes), GRAPH)) {
      for (const initializer of messages(fields(graph), INITIALIZER)) {
        const { name, ...tensor } = readTensor(initializer);
        if (tensor.data) tensors.set(name, tensor);
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new WeightsError(`${file}: ${error.message}; cut off, damaged, or no ONNX file`);
  }
  if (!tensors.size) throw new WeightsError(`${file}: no weights in it; expected an ONNX network`);
  return tensors;
}

function readTensor(message) {
  const found = new Map(); // field -> its last value
  const shape = [];
  for (const [field, value] of fields(message)) {
    if (field === TENSOR.dims) shape.push(...(isBytes(value) ? packed(value) : [value]));
    else found.set(field, value);
  }
  const [type, title, raw] = [TENSOR.type, TENSOR.name, TENSOR.raw].map((key) => found.get(key));
  const name = isBytes(title) ? new TextDecoder().decode(title) : "";
  if (type !== FLOAT || !isBytes(raw)) return { name, shape, data: null };
  const count = shape.reduce((product, side) => product * side, 1);
  if (raw.length !== 4 * count) {
    throw new RangeError(`${name}: ${raw.length} bytes for shape [${shape}]`);
  }
  return { name, shape, data: new Float32Array(raw.slice().buffer) };
}

const isBytes = (value) => value instanceof Uint8Array;

function* messages(all, wanted) {
  for (const [field, value] of all) {
    if (field === wanted && isBytes(value)) yield value;
  }
}

// Number of each field and its value: a number, or the bytes of what has a length.
function* fields(bytes) {
  let at = 0;
  while (at < bytes.length) {
    const [key, afterKey] = varint(bytes, at);
    const [field, kind] = [Math.floor(key / 8), key % 8];
    if (kind === 0) {
      const [value, next] = varint(bytes, afterKey);
      yield [field, value];
      at = next;
      continue;
    }
    const [length, start] = kind === 2 ? varint(bytes, afterKey) : [FIXED[kind], afterKey];
    if (length === undefined) throw new RangeError(`wire type ${kind} at byte ${at}`);
    at = start + length;
    if (at > bytes.length) throw new RangeError(`${length} bytes wanted at byte ${start}`);
    if (kind === 2) yield [field, bytes.subarray(start, at)];
  }
}

function varint(bytes, start) {
  let [value, factor] = [0, 1];
  for (let at = start; at < start + 10; at += 1, factor *= 128) {
    if (at >= bytes.length) break;
    value += (bytes[at] & 127) * factor;
    if (bytes[at] < 128) return [value, at + 1];
  }
  throw new RangeError(`no number at byte ${start}`);
}

function* packed(bytes) {
  let at = 0;
  while (at < bytes.length) {
    const [value, next] = varint(bytes, at);
    yield value;
    at = next;
  }
}
