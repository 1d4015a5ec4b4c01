// How an answer looks: captions, colours, heat, close-ups, as in fer_cbam/render.py. The colours
// themselves come with settings.json.

import { percent } from "./text.mjs";

const BORDER = 0.06; // of the side, over which heat fades out

export function caption({ no_face: noFace, label, uncertain, confidence }) {
  return noFace ? "no face" : `${label}${uncertain ? "?" : ""} ${percent(confidence)}`;
}

export class Looks {
  // settings: colors (label -> [colour, ink on it]; "" for what is no face), other_colors (of the
  // labels that have none there, by their place among those of the weights), heat (256 colours
  // [r, g, b] from no evidence to the most).
  constructor({ colors, other_colors: others, heat }) {
    Object.assign(this, { colors, others, heat });
  }

  // What is written at a box, and the colours of the box, below the writing and of it.
  tag(face) {
    const own = face.no_face ? this.colors[""] : this.#of(face);
    const [color] = own;
    const [ground, ink] = face.uncertain ? this.colors[""] : own;
    return { caption: caption(face), color, ground, ink };
  }

  #of({ label, probs }) {
    if (label in this.colors) return this.colors[label];
    const others = Object.keys(probs).filter((name) => !(name in this.colors));
    return this.others[others.indexOf(label)];
  }

  // A saliency {values, side} as RGBA to lay over its crop: transparent where nothing spoke.
  heatPixels({ values, side }) {
    const pixels = new Uint8ClampedArray(4 * side * side);
    const edge = softEdge(side);
    for (let at = 0; at < values.length; at += 1) {
      const value = Math.min(1, Math.max(0, values[at]));
      pixels.set(this.heat[Math.round(255 * value)], 4 * at);
      pixels[4 * at + 3] = Math.round(255 * value * edge[at % side] * edge[Math.floor(at / side)]);
    }
    return pixels;
  }
}

// 1 inside, falling to 0 over the border, along one side.
function softEdge(side) {
  const ramp = (at) => Math.min(at + 0.5, side - at - 0.5) / (BORDER * side);
  return Array.from({ length: side }, (_, at) => Math.min(1, Math.max(0, ramp(at))));
}

// A square around one face: where it is cut out of a picture of that size, and the transform of the
// face's layers to it. At the border it is shifted inwards, and never larger than the picture.
// affine: of the crop of `cropSide`, [m00, m01, m02, m10, m11, m12]. side: of the cut-out as shown.
export function closeUp(affine, cropSide, { width, height }, side, margin = 1.25) {
  const [a, b, e, c, d, f] = affine;
  const wanted = Math.round(Math.hypot(a, c) * cropSide * margin);
  const cut = Math.min(Math.max(wanted, 1), Math.min(width, height));
  const middle = (cropSide - 1) / 2;
  const start = (centre, limit) =>
    Math.min(Math.max(Math.round(centre - (cut - 1) / 2), 0), limit - cut);
  const x = start(a * middle + b * middle + e, width);
  const y = start(c * middle + d * middle + f, height);
  const scale = side / cut;
  // By edges of pixels, as a canvas counts them.
  const [left, top] = [e + 0.5 - 0.5 * (a + b) - x, f + 0.5 - 0.5 * (c + d) - y];
  return { x, y, cut, transform: [a, c, b, d, left, top].map((value) => value * scale) };
}
