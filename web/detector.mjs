// Faces in a picture of any size: YuNet at several sizes, once more in the dark, and turned where
// faces seem to lie or to stand on their head. fer_cbam/detect/yunet.py, which says why.

import { evened, resized, turned } from "./pictures.mjs";
import { round } from "./rounding.mjs";
import { YuNet } from "./yunet.mjs";

const SCORE = 0.7; // faces below it are dropped
const NMS = 0.3; // of two boxes with a larger intersection over union the better one stays
const COARSE_SIDE = 256; // longest side of the coarsest search
const MAX_STEP = 3; // largest ratio between one search size and the next
const UPSCALE = 1.6; // a face of 24 pixels is searched for at 38
const TILE = 1280; // a larger search runs in tiles
const OVERLAP = 240; // of two tiles; also the largest face taken from any but the coarsest search
const [SECOND_SIDE, SECOND_SCORE] = [640, 0.8]; // of the second look
const DOUBTFUL_SCORE = 0.9; // a face below it may be turned
const DOUBTS = 3; // faces, the largest, that are looked at in all turns
const [AROUND, AROUND_SIDE] = [2, 160]; // sides of the face, and pixels, of such a look
const MAX_CONTAINED = 0.7; // share of a box inside a better one above which it is part of that face

const SCORE_AT = 14; // place of the score in a row
const longest = ({ width, height }) => Math.max(width, height);
const largerSide = (row) => Math.max(row[2], row[3]);

export class Detector {
  #yunet;

  // bytes: ArrayBuffer of yunet.onnx. Throws WeightsError for another file.
  constructor(kernel, bytes) {
    this.kernel = kernel;
    this.#yunet = new YuNet(kernel, bytes);
  }

  // picture: {address, width, height} in the kernel's memory. maxSide: longest side in pixels of
  // the finest search. Gives [{box, score, landmarks}] in pixels of the picture, the largest first.
  detect(picture, maxSide) {
    if (!(maxSide >= 32)) throw new RangeError(`maxSide: got ${maxSide}; expected 32 or more`);
    const sides = searchSides(longest(picture), maxSide);
    let rows = this.#searchAll(picture, sides);
    if (!rows.length) rows = this.#lookAgain(picture, maxSide);
    rows = bestBoxes([...rows, ...this.#turned(picture, rows, sides, maxSide)]);
    return rows.map(toFace).sort((a, b) => size(b) - size(a));
  }

  // At the picture with its contrast evened out, for faces that are sure.
  #lookAgain(picture, maxSide) {
    return this.kernel.within(() => {
      const sides = searchSides(longest(picture), Math.min(maxSide, SECOND_SIDE));
      const small = resized(this.kernel, picture, Math.min(sides.at(-1), longest(picture)));
      const rows = this.#searchAll(evened(this.kernel, small), sides);
      return scaled(rows.filter((row) => row[SCORE_AT] >= SECOND_SCORE), small, picture);
    });
  }

  // Rows of the picture searched in other quarter turns, where it seems to lie in one.
  #turned(picture, rows, sides, maxSide) {
    const best = bestBoxes(rows);
    const doubtful = best.filter((row) => row[SCORE_AT] < DOUBTFUL_SCORE);
    const largest = [...doubtful].sort((a, b) => largerSide(b) - largerSide(a)).slice(0, DOUBTS);
    const turns = new Set(largest.map((row) => this.#bestTurn(picture, row)));
    const found = [...turns]
      .filter((quarters) => quarters)
      .sort()
      .flatMap((quarters) => this.#searchTurned(picture, quarters, sides));
    const nobody = doubtful.length === best.length && [...turns].every((turn) => turn === null);
    if (!nobody || maxSide <= SECOND_SIDE) return found; // in a live picture that is no news
    return [...found, ...this.#searchAllTurns(picture)];
  }

  #searchAllTurns(picture) {
    return this.kernel.within(() => {
      const sides = searchSides(longest(picture), SECOND_SIDE);
      const small = resized(this.kernel, picture, Math.min(sides.at(-1), longest(picture)));
      return [1, 2, 3].flatMap((quarters) => {
        const rows = this.#searchTurned(small, quarters, sides);
        return scaled(rows.filter((row) => row[SCORE_AT] >= SECOND_SCORE), small, picture);
      });
    });
  }

  #searchTurned(picture, quarters, sides) {
    return this.kernel.within(() => {
      const rows = this.#searchAll(turned(this.kernel, picture, quarters), sides);
      return turnedBack(rows, quarters, picture);
    });
  }

  // The quarter turns in which a face has its best score; null where a closer look finds none.
  #bestTurn(picture, row) {
    const [x, y, w, h] = row;
    const centre = [x + w / 2, y + h / 2];
    const half = (AROUND * Math.max(w, h)) / 2;
    const [left, top] = centre.map((c) => Math.max(0, Math.floor(c - half)));
    const right = Math.min(picture.width, Math.ceil(centre[0] + half));
    const bottom = Math.min(picture.height, Math.ceil(centre[1] + half));
    if (right <= left || bottom <= top) return null; // of a face at the very edge
    const region = { left, top, width: right - left, height: bottom - top };
    const scale = AROUND_SIDE / longest(region);
    const middle = [(centre[0] - left) * scale, (centre[1] - top) * scale];
    const scores = this.kernel.within(() => {
      const around = resized(this.kernel, cutOut(this.kernel, picture, region), AROUND_SIDE);
      return [0, 1, 2, 3].map((quarters) => {
        const seen = turned(this.kernel, around, quarters);
        const found = turnedBack(this.#infer(seen, wholeOf(seen)), quarters, around);
        const near = (r) =>
          Math.max(...[0, 1].map((i) => Math.abs(r[i] + r[i + 2] / 2 - middle[i]))) <
          0.4 * scale * Math.max(w, h);
        return Math.max(0, ...found.filter(near).map((r) => r[SCORE_AT]));
      });
    });
    const best = Math.max(...scores);
    return best > 0 ? scores.indexOf(best) : null;
  }

  #searchAll(picture, sides) {
    return sides.flatMap((side) => this.#search(picture, side, side === sides[0]));
  }

  // Search the picture resized to a longest side; rows in pixels of the picture.
  #search(picture, side, coarsest) {
    return this.kernel.within(() => {
      const small = resized(this.kernel, picture, side);
      const rows = spans(small.height).flatMap(([top, bottom]) =>
        spans(small.width).flatMap(([left, right]) =>
          this.#infer(small, { left, top, width: right - left, height: bottom - top }),
        ),
      );
      const kept = coarsest ? rows : rows.filter((row) => largerSide(row) <= OVERLAP);
      return scaled(kept, small, picture);
    });
  }

  // One pass of the network over a part, its rows in pixels of the picture.
  #infer(picture, part) {
    const shift = [part.left, part.top];
    const isPlace = (i) => i !== 2 && i !== 3 && i !== SCORE_AT;
    const moved = (row) => row.map((value, i) => (isPlace(i) ? value + shift[i % 2] : value));
    return this.#yunet.infer(picture, part, SCORE, NMS).map(moved);
  }
}

const wholeOf = ({ width, height }) => ({ left: 0, top: 0, width, height });

function cutOut(kernel, { address, width }, { left, top, width: w, height: h }) {
  const out = kernel.take(4 * w * h);
  for (let y = 0; y < h; y += 1) {
    const row = kernel.bytes(address + 4 * ((top + y) * width + left), 4 * w);
    kernel.bytes(out + 4 * y * w, 4 * w).set(row);
  }
  return { address: out, width: w, height: h };
}

// The longest sides at which a picture is searched, the coarsest first.
export function searchSides(length, maxSide) {
  const finest = Math.min(Math.max(round(length * UPSCALE), COARSE_SIDE), maxSide);
  if (finest <= COARSE_SIDE * UPSCALE) return [finest];
  const steps = Math.ceil(Math.log(finest / COARSE_SIDE) / Math.log(MAX_STEP) - 1e-9);
  const ratio = finest / COARSE_SIDE;
  return Array.from({ length: steps + 1 }, (_, i) => round(COARSE_SIDE * ratio ** (i / steps)));
}

// Start and end of the tiles along one axis: evenly spread, overlapping by OVERLAP or more.
export function spans(length) {
  if (length <= TILE) return [[0, length]];
  const count = Math.ceil((length - OVERLAP) / (TILE - OVERLAP));
  return Array.from({ length: count }, (_, i) => {
    const start = round((i * (length - TILE)) / (count - 1));
    return [start, start + TILE];
  });
}

// Rows in pixels of a resized picture -> in pixels of the picture. Landmarks are numbered by pixel
// centres, boxes by pixel edges.
function scaled(rows, small, picture) {
  const ratio = [picture.width / small.width, picture.height / small.height];
  return rows.map((row) =>
    row.map((v, i) => {
      if (i === SCORE_AT) return v;
      return i < 4 ? v * ratio[i % 2] : (v + 0.5) * ratio[i % 2] - 0.5;
    }),
  );
}

// Rows found in turned(picture, quarters) -> in pixels of the picture. The landmarks keep their
// order, which is that of the face seen upright.
export function turnedBack(rows, quarters, { width, height }) {
  let back = rows;
  for (let quarter = 0; quarter < quarters % 4; quarter += 1) {
    // Each quarter back: x' = length - y, y' = x, with the width of the picture that comes out.
    const length = (quarters - quarter) % 2 ? width : height;
    back = back.map(([x, y, w, h, ...rest]) => {
      const row = [length - y - h, x, h, w];
      for (let i = 0; i < 10; i += 2) row.push(length - 1 - rest[i + 1], rest[i]);
      return [...row, rest[10]];
    });
  }
  return back;
}

// Of boxes on the same face, the one with the best score; a small box inside a better one is a part
// of that face.
export function bestBoxes(rows) {
  const kept = [];
  for (const row of [...rows].sort((a, b) => b[SCORE_AT] - a[SCORE_AT])) {
    if (!kept.some((better) => isSame(row, better))) kept.push(row);
  }
  return kept;
}

function isSame(a, b) {
  const shared = [0, 1]
    .map((i) => Math.max(0, Math.min(a[i] + a[i + 2], b[i] + b[i + 2]) - Math.max(a[i], b[i])))
    .reduce((product, side) => product * side);
  const [one, other] = [a[2] * a[3], b[2] * b[3]];
  return shared > NMS * (one + other - shared) || shared / Math.min(one, other) > MAX_CONTAINED;
}

const size = ({ box: [x1, y1, x2, y2] }) => Math.max(x2 - x1, y2 - y1);

// x, y, w, h, landmarks, score -> {box, score, landmarks}.
function toFace([x, y, w, h, ...rest]) {
  const landmarks = [0, 2, 4, 6, 8].map((i) => [rest[i], rest[i + 1]]);
  return { box: [x, y, x + w, y + h], score: rest[10], landmarks };
}
