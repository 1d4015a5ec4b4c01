// Pictures in the kernel's memory, {address, width, height} of RGBA bytes: brought there, resized,
// turned, evened out and cut from, all as OpenCV and Pillow do it for Python.

import { ImageError } from "./errors.mjs";
import { clip, round } from "./rounding.mjs";

export const MAX_PIXELS = 50e6; // phones' pictures have 12 to 48 million
const CONTRAST_LIMIT = 3; // of the histogram equalisation
const GRID = 4; // tiles of it in each direction
const LARGEST_SQUARE = 10_000; // pixels of a face: more is none in an image of MAX_PIXELS
const FARTHEST = 2 ** 24; // pixels; what lies farther away is as far
const LIGHTEST = 255 * 8; // what white's light is counted as
const STEPS = 4096; // of the table of gamma, as in evened.c

// image: {data, width, height} with RGBA bytes, such as an ImageData. Throws ImageError.
export function checkImage(image) {
  const { data, width, height } = image ?? {};
  const whole = (side) => Number.isInteger(side) && side > 0;
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) {
    throw new ImageError(`image: got ${typeof data} as data; expected RGBA bytes`);
  }
  if (!whole(width) || !whole(height) || data.length !== 4 * width * height) {
    const found = `${data.length} bytes for ${width}x${height} pixels`;
    throw new ImageError(`image: got ${found}; expected 4 for each pixel, 1 or more a side`);
  }
  if (width * height > MAX_PIXELS) {
    const found = `${width}x${height}, ${Math.round((width * height) / 1e6)} million pixels`;
    throw new ImageError(`image: got ${found}; expected at most ${MAX_PIXELS / 1e6} million`);
  }
}

export function putImage(kernel, { data, width, height }) {
  return { address: kernel.put(data), width, height };
}

function emptyPicture(kernel, width, height) {
  return { address: kernel.take(4 * width * height), width, height };
}

// The picture with its longest side of so many pixels.
export function resized(kernel, picture, side) {
  const { width, height } = picture;
  const scale = side / Math.max(width, height);
  const w = Math.max(1, round(width * scale));
  const h = Math.max(1, round(height * scale));
  if (w === width && h === height) return picture;
  const out = emptyPicture(kernel, w, h);
  const { call } = kernel;
  kernel.within(() => {
    if (w >= width) {
      const [columns, rows] = [blends(width, w), blends(height, h)].map((t) => kernel.put(t));
      call.enlarge(picture.address, width, out.address, w, h, columns, rows);
    } else if (width === 2 * w && height === 2 * h) {
      call.halve(picture.address, width, height, out.address);
    } else {
      const [across, down] = [covers(width, w), covers(height, h)];
      call.shrink(
        picture.address, width, out.address, w, h,
        kernel.put(across.spans), kernel.put(across.weights), across.most,
        kernel.put(down.spans), kernel.put(down.weights), down.most,
        kernel.takeFloats(4 * w),
      );
    }
  });
  return out;
}

// Bilinear: of each new place the two old ones that it lies between, and their weights in 2048ths.
function blends(length, newLength) {
  const table = new Int32Array(4 * newLength);
  for (let i = 0; i < newLength; i += 1) {
    const place = Math.fround((i + 0.5) * (length / newLength) - 0.5);
    const low = Math.floor(place);
    const inside = low >= 0 && low < length - 1;
    const part = inside ? Math.fround(place - low) : 0;
    const first = clip(low, 0, length - 1);
    const weights = [round(Math.fround(1 - part) * 2048), round(part * 2048)];
    table.set([first, Math.min(first + 1, length - 1), ...weights], 4 * i);
  }
  return table;
}

// Mean over an area: of each new place the first old one that it covers, how many, and the share
// of each.
function covers(length, newLength) {
  const scale = length / newLength;
  const most = Math.ceil(scale) + 2;
  const spans = new Int32Array(2 * newLength);
  const weights = new Float32Array(most * newLength);
  for (let i = 0; i < newLength; i += 1) {
    const [from, to] = [i * scale, (i + 1) * scale];
    const width = Math.min(scale, length - from);
    const last = Math.min(Math.floor(to), length - 1);
    const first = Math.min(Math.ceil(from), last);
    const shares = [];
    const before = first - from > 1e-3;
    if (before) shares.push((first - from) / width);
    for (let place = first; place < last; place += 1) shares.push(1 / width);
    if (to - last > 1e-3) shares.push(Math.min(to - last, 1, width) / width);
    spans.set([before ? first - 1 : first, shares.length], 2 * i);
    weights.set(shares, most * i);
  }
  return { spans, weights, most };
}

// The picture turned anticlockwise by so many quarters.
export function turned(kernel, picture, quarters) {
  if (quarters % 4 === 0) return picture;
  const { address, width, height } = picture;
  const sides = quarters % 2 ? [height, width] : [width, height];
  const out = emptyPicture(kernel, ...sides);
  kernel.call.turn(address, width, height, quarters % 4, out.address);
  return out;
}

let lights = null; // tables of light and Lab, made when they are first needed

// As OpenCV's for bytes (modules/imgproc/src/color_lab.cpp); see evened.c.
function lightTables() {
  const linear = new Int32Array(256).map((_, i) => {
    const v = i / 255;
    return round(LIGHTEST * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  });
  const roots = new Int32Array(256 * 1.5 * 8).map((_, i) => {
    const t = i / LIGHTEST;
    return round(2 ** 15 * (t < 0.008856 ? 7.787 * t + 16 / 116 : Math.cbrt(t)));
  });
  const gamma = new Float32Array(STEPS + 1).map((_, i) => {
    const t = i / STEPS;
    return 255 * (t <= 0.0031308 ? 12.92 * t : 1.055 * t ** (1 / 2.4) - 0.055);
  });
  return { linear, roots, gamma };
}

// The picture with its noise smoothed and its contrast evened out.
export function evened(kernel, picture) {
  const { address, width, height } = picture;
  lights ??= lightTables();
  const out = emptyPicture(kernel, width, height);
  kernel.within(() => {
    const [linear, roots, gamma] = [lights.linear, lights.roots, lights.gamma].map((table) =>
      kernel.put(table),
    );
    kernel.call.even_out(
      address, width, height, CONTRAST_LIMIT, linear, roots, gamma, out.address,
      kernel.take(3 * width * height), kernel.takeFloats(4 * width), kernel.take(GRID * GRID * 256),
    );
  });
  return out;
}

// A square of the picture, RGBA bytes [side][side], through an affine [m00, m01, m02, m10, m11,
// m12] from its pixels to those of the picture. Bicubic on a grid that is fine enough not to alias,
// then Lanczos down to the side: cut() in fer_cbam/preprocess.py.
export function cutSquare(kernel, picture, affine, side, bicubic) {
  const factor = Math.max(1, Math.ceil(Math.hypot(affine[0], affine[3]) - 0.01));
  const large = side * factor;
  if (!(large <= LARGEST_SQUARE)) {
    const expected = `expected ${LARGEST_SQUARE} at most`;
    throw new ImageError(`alignment: a face of ${large} pixels; ${expected}`);
  }
  const block = (factor - 1) / 2; // the centre of the fine pixels that make one pixel of the crop
  const [a, b, x, c, d, y] = affine;
  const fine = [a / factor, b / factor, x, c / factor, d / factor, y];
  fine[2] -= (fine[0] + fine[1]) * block;
  fine[5] -= (fine[3] + fine[4]) * block;
  const origin = [fine[2], fine[5]].map((v) => clip(Math.floor(v), -FARTHEST, FARTHEST));
  fine[2] -= origin[0];
  fine[5] -= origin[1];
  return kernel.within(() => {
    const { address, width, height } = picture;
    const { spans, weights, most } = lanczos(large, side);
    const [at, spansAt, weightsAt] = [new Float64Array(fine), spans, weights].map((array) =>
      kernel.put(array),
    );
    const out = kernel.take(4 * side * side);
    kernel.call.cut_square(
      address, width, height, at, ...origin, large, bicubic, side, spansAt, weightsAt, most,
      kernel.take(4 * large), kernel.take(4 * large * side), out,
    );
    return kernel.bytes(out, 4 * side * side).slice();
  });
}

const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const WINDOW = 3; // lobes of the Lanczos filter

// Pillow's coefficients: of each new place the first old one, how many, and their weights in
// 2^22ths (libImaging/Resample.c).
function lanczos(length, newLength) {
  const scale = length / newLength;
  const support = WINDOW * scale;
  const most = Math.ceil(support) * 2 + 1;
  const spans = new Int32Array(2 * newLength);
  const weights = new Int32Array(most * newLength);
  for (let i = 0; i < newLength; i += 1) {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(length, Math.trunc(centre + support + 0.5));
    const values = Array.from({ length: end - first }, (_, j) => {
      const x = (first + j - centre + 0.5) / scale;
      return Math.abs(x) < WINDOW ? sinc(x) * sinc(x / WINDOW) : 0;
    });
    const total = values.reduce((sum, value) => sum + value, 0);
    const fixed = values.map((value) => {
      const scaled = (value / total) * 2 ** 22;
      return Math.trunc(scaled + (scaled < 0 ? -0.5 : 0.5));
    });
    spans.set([first, fixed.length], 2 * i);
    weights.set(fixed, most * i);
  }
  return { spans, weights, most };
}

// Of each 1024th between two pixels the bicubic weights (A = -0.75, as OpenCV's) of the four around
// it, in 16384ths. Int16Array [1024][4].
export function bicubicTable() {
  const table = new Int16Array(1024 * 4);
  for (let i = 0; i < 1024; i += 1) {
    const weights = cubic(i / 1024).map((weight) => round(weight * 16384));
    weights[weights[1] > weights[2] ? 1 : 2] += 16384 - weights.reduce((sum, w) => sum + w, 0);
    table.set(weights, 4 * i);
  }
  return table;
}

function cubic(x) {
  const A = -0.75;
  const outer = (t) => ((A * t - 5 * A) * t + 8 * A) * t - 4 * A;
  const inner = (t) => ((A + 2) * t - (A + 3)) * t * t + 1;
  return [outer(x + 1), inner(x), inner(1 - x), outer(2 - x)];
}
