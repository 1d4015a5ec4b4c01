// How well a face can be seen in a frame: fer_cbam/smoothing/cues.py, which says what each is.

import { greyOf } from "./preprocess.mjs";

const NORMAL_SIDE = 64; // pixels of a face whose size counts as 0

// score, sharpness, roll, yaw, pitch, size, brightness, contrast. face: with box, score, landmarks,
// and its aligned crop {data: RGBA bytes, width, height}.
export function cuesOf({ box, score, landmarks, crop }) {
  const [left, right, nose] = landmarks;
  const line = [right[0] - left[0], right[1] - left[1]];
  const squared = Math.max(line[0] ** 2 + line[1] ** 2, 1e-9);
  const away = [0, 1].map((i) => nose[i] - (left[i] + right[i]) / 2);
  const grey = greyOf(crop);
  const size = Math.max(box[2] - box[0], box[3] - box[1], 1);
  const [mean, variance] = moments(grey);
  return [
    score,
    Math.log10(1 + moments(laplacian(grey, crop.width))[1]),
    Math.atan2(line[1], line[0]),
    (away[0] * line[0] + away[1] * line[1]) / squared,
    (away[1] * line[0] - away[0] * line[1]) / squared,
    Math.log2(size / NORMAL_SIDE),
    mean / 255,
    Math.sqrt(variance) / 255,
  ];
}

// Mean and variance.
function moments(values) {
  let [sum, squares] = [0, 0];
  for (const value of values) sum += value;
  const mean = sum / values.length;
  for (const value of values) squares += (value - mean) ** 2;
  return [mean, squares / values.length];
}

// Of a square, as OpenCV has it: beyond an edge lies what lies within, without the edge itself.
function laplacian(grey, side) {
  const near = (i) => (i < 0 ? 1 : i === side ? side - 2 : i);
  return Float64Array.from(grey, (value, i) => {
    const [y, x] = [Math.floor(i / side), i % side];
    const row = (at) => near(at) * side + x;
    const column = (at) => y * side + near(at);
    const around = grey[row(y - 1)] + grey[row(y + 1)] + grey[column(x - 1)] + grey[column(x + 1)];
    return around - 4 * value;
  });
}
