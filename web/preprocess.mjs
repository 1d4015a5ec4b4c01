// From a face in a picture to the network's input: fer_cbam/preprocess.py.

import { ImageError, WeightsError } from "./errors.mjs";

const GREY = [9798, 19235, 3735]; // ITU-R 601 in 32768ths, as OpenCV rounds it

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const areNumbers = (values, length) =>
  Array.isArray(values) && values.length === length && values.every(isNumber);

// Channels and side of a crop, and mean and std of each channel.
function sizes({ input_size: size, mean, std }) {
  const [channels, height, width] = Array.isArray(size) ? size : [];
  const square = height === width && Number.isInteger(height) && height > 0 && height <= 512;
  if (!square || ![1, 3].includes(channels)) {
    throw new WeightsError(`input_size ${size}; expected 1 or 3 channels of a square`);
  }
  if (!areNumbers(mean, channels) || !areNumbers(std, channels) || !std.every((v) => v > 0)) {
    throw new WeightsError(`mean ${mean}, std ${std}; expected a number for each channel`);
  }
  return { channels, side: height, mean, std };
}

// Where the landmarks lie in a crop, and the crop as seen from the box, if it is.
function places({ landmarks, crop_from_box: fromBox }) {
  const isPair = (point) => areNumbers(point, 2);
  if (!Array.isArray(landmarks) || landmarks.length !== 5 || !landmarks.every(isPair)) {
    throw new WeightsError("landmarks: expected 5 pairs, without which faces cannot be aligned");
  }
  if (fromBox?.length && !(areNumbers(fromBox, 3) && fromBox[0] > 0)) {
    throw new WeightsError(`crop_from_box ${fromBox}; expected a side above 0 and two offsets`);
  }
  return { landmarks, fromBox: fromBox?.length ? fromBox : null };
}

export class Preprocess {
  // config: of config.json. Throws WeightsError for values that are missing or out of range.
  constructor(config) {
    Object.assign(this, sizes(config.pretrained_cfg), places(config));
  }

  // The affine [m00, m01, m02, m10, m11, m12] from the pixels of a crop to those of the image.
  // face: {box, landmarks}. Throws ImageError for a face without extent.
  affine(face) {
    checkFace(face);
    const target = this.landmarks.map(([x, y]) => [x * this.side - 0.5, y * this.side - 0.5]);
    const found = similarity(target, face.landmarks);
    return this.fromBox ? this.#placedByBox(found, face) : found;
  }

  // Keep the rotation of a similarity, take centre and side of the crop from the box.
  #placedByBox([a, , , c], { box }) {
    const [x1, y1, x2, y2] = box;
    if (!(x2 > x1 && y2 > y1)) {
      throw new ImageError(`alignment: box ${box}; expected x1 < x2 and y1 < y2`);
    }
    const unit = Math.sqrt((x2 - x1) * (y2 - y1));
    const [side, right, below] = this.fromBox.map((value) => value * unit);
    const length = Math.hypot(a, c);
    const [cos, sin] = [a / length, c / length];
    // Box edges lie half a pixel before the centres of the pixels that they enclose.
    const x = (x1 + x2) / 2 - 0.5 + cos * right - sin * below;
    const y = (y1 + y2) / 2 - 0.5 + sin * right + cos * below;
    const [p, q] = [cos, sin].map((value) => (value * side) / this.side);
    const middle = (this.side - 1) / 2;
    return [p, -q, x - (p - q) * middle, q, p, y - (q + p) * middle];
  }

  // Crops, RGBA bytes [side][side] each -> float32 [n][channels][side][side].
  input(crops) {
    const area = this.side ** 2;
    const out = new Float32Array(crops.length * this.channels * area);
    crops.forEach((crop, n) => {
      for (let channel = 0; channel < this.channels; channel += 1) {
        const scale = Math.fround(1 / (255 * this.std[channel]));
        const shift = Math.fround(-this.mean[channel] / this.std[channel]);
        const at = (n * this.channels + channel) * area;
        for (let i = 0; i < area; i += 1) {
          const value = this.channels === 1 ? grey(crop, 4 * i) : crop[4 * i + channel];
          out[at + i] = value * scale + shift;
        }
      }
    });
    return out;
  }
}

function checkFace({ box, landmarks }) {
  const isPair = (point) => areNumbers(point, 2);
  if (!areNumbers(box, 4) || !Array.isArray(landmarks) || landmarks.length !== 5) {
    throw new ImageError(`face: box ${box}; expected 4 numbers, and 5 landmarks`);
  }
  if (!landmarks.every(isPair)) {
    throw new ImageError(`face: landmarks ${landmarks}; expected 5 pairs of finite numbers`);
  }
}

const grey = (rgba, at) =>
  (rgba[at] * GREY[0] + rgba[at + 1] * GREY[1] + rgba[at + 2] * GREY[2] + 16384) >> 15;

// The grey values, 0 to 255, of RGBA bytes.
export const greyOf = ({ data }) =>
  Uint8Array.from({ length: data.length / 4 }, (_, i) => grey(data, 4 * i));

// The least-squares similarity that takes points to others, both [x, y]: with points as complex
// numbers one complex factor and a shift, and never a reflection (Umeyama 1991).
export function similarity(source, target) {
  const mean = (points, axis) => points.reduce((sum, p) => sum + p[axis], 0) / points.length;
  const [sx, sy, tx, ty] = [mean(source, 0), mean(source, 1), mean(target, 0), mean(target, 1)];
  let [re, im, spread] = [0, 0, 0];
  source.forEach(([x, y], i) => {
    const [a, b, c, d] = [x - sx, y - sy, target[i][0] - tx, target[i][1] - ty];
    re += a * c + b * d;
    im += a * d - b * c;
    spread += a * a + b * b;
  });
  [re, im] = spread > 0 ? [re / spread, im / spread] : [0, 0];
  const length = Math.hypot(re, im);
  if (!(Number.isFinite(length) && length > 0)) {
    throw new ImageError("alignment: landmarks coincide or are not finite; expected five points");
  }
  return [re, -im, tx - re * sx + im * sy, im, re, ty - im * sx - re * sy];
}

// An affine as canvas and SVG take it, [a, b, c, d, e, f], for coordinates that are counted by the
// edges of pixels instead of their centres.
export const layerTransform = ([a, c, e, b, d, f]) => [
  a, b, c, d, e + 0.5 - (a + c) / 2, f + 0.5 - (b + d) / 2,
];
