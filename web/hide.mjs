// Hiding parts of preprocessed faces: fer_cbam/explain/hide.py and occlusion.py. A face is float32
// [channels][side][side].

const BLUR_SHARE = 1 / 8; // standard deviation of the blur over the side: no feature is left
const PATCH = 1.5; // width of a patch at half height, over the distance between patches
const LEAST_PATCH = 1 / 6; // of the side

// Each plane [side][side] through a Gaussian; what lies outside is mirrored at the outermost pixel.
export function gaussian(planes, side, sigma) {
  const half = Math.floor(Math.round(8 * sigma + 1) / 2); // as OpenCV for floats
  const weights = Array.from({ length: 2 * half + 1 }, (_, i) =>
    Math.exp(-((i - half) ** 2) / (2 * sigma ** 2)),
  );
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const along = (source, step, start) => {
    const line = Float64Array.from({ length: side }, (_, i) => source[start + i * step]);
    return line.map((_, i) =>
      weights.reduce((sum, w, j) => sum + w * line[mirrored(i + j - half, side)], 0) / total,
    );
  };
  const out = Float64Array.from(planes);
  for (let plane = 0; plane < planes.length; plane += side * side) {
    for (const [step, next] of [[1, side], [side, 1]]) {
      for (let i = 0; i < side; i += 1) {
        const start = plane + i * next;
        along(out, step, start).forEach((value, j) => (out[start + j * step] = value));
      }
    }
  }
  return Float32Array.from(out);
}

function mirrored(place, length) {
  if (length === 1) return 0;
  let at = place;
  while (at < 0 || at >= length) at = at < 0 ? -at : 2 * (length - 1) - at;
  return at;
}

export const blurred = (face, side) => gaussian(face, side, BLUR_SHARE * side);

// Each channel's mean.
export function meanGrey(face, side) {
  const places = side * side;
  const out = new Float32Array(face.length);
  for (let start = 0; start < face.length; start += places) {
    const sum = face.subarray(start, start + places).reduce((total, value) => total + value, 0);
    out.fill(sum / places, start, start + places);
  }
  return out;
}

// A face with each of several masks, [side][side] in [0, 1] where 1 is hidden, side by side.
export function hidden(face, masks, fill) {
  const out = new Float32Array(masks.length * face.length);
  masks.forEach((mask, m) => {
    for (let i = 0; i < face.length; i += 1) {
      const weight = mask[i % mask.length];
      out[m * face.length + i] = face[i] + weight * (fill[i] - face[i]);
    }
  });
  return out;
}

// count x count soft patches, row by row: 1 in their middle, falling to 0 over half of their width.
export function patches(count, side) {
  const step = side / count;
  const width = Math.max(PATCH * step, LEAST_PATCH * side);
  const profiles = Array.from({ length: count }, (_, i) => {
    const centre = (i + 0.5) * step - 0.5;
    return Array.from({ length: side }, (_unused, x) =>
      Math.min(Math.max(1 - (Math.abs(x - centre) - width / 4) / (width / 2), 0), 1),
    );
  });
  return profiles.flatMap((down) =>
    profiles.map((across) => Float32Array.from(down.flatMap((v) => across.map((u) => v * u)))),
  );
}

// Logits -> log of p / (1 - p) of each label, from the logits, so that none near 0 or 1 is cut off.
export function logOdds(logits) {
  return Array.from(logits, (logit, i) => {
    const others = [...logits].filter((_, j) => j !== i);
    const most = Math.max(...others);
    const sum = others.reduce((total, other) => total + Math.exp(other - most), 0);
    return logit - most - Math.log(sum);
  });
}
