// Reasons to trust an answer less that can be seen in the picture: fer_cbam/words/cautions.py.

const SMALL = 40; // pixels of a face's longer side
const DARK = 40; // of 255: median brightness of the face
const SIDE_VIEW = 0.32; // see noseOffset(); about 38 degrees
const TURNED = 45; // degrees; past it a face is nearer to a quarter turn than to upright

// Which of "small", "dark", "side" and "turned" hold for a face of an image (RGBA), in this order.
export function cautions(image, face) {
  const [x1, y1, x2, y2] = face.box;
  return [
    Math.max(x2 - x1, y2 - y1) < SMALL && "small",
    brightness(image, face) < DARK && "dark",
    noseOffset(face) > SIDE_VIEW && "side",
    Math.abs(roll(face)) > TURNED && "turned",
  ].filter(Boolean);
}

// Median grey value, 0 to 255, of the middle of the box; 255 where it lies outside the image.
export function brightness({ data, width, height }, { box: [x1, y1, x2, y2] }) {
  const [inset, drop] = [0.2 * (x2 - x1), 0.2 * (y2 - y1)]; // leaves out hair and background
  const within = (value, most) => Math.trunc(Math.min(Math.max(value, 0), most));
  const [left, top] = [within(x1 + inset, width), within(y1 + drop, height)];
  const right = Math.min(width, Math.max(within(x2 - inset, width), left + 1));
  const bottom = Math.min(height, Math.max(within(y2 - drop, height), top + 1));
  const values = [];
  for (let y = top; y < bottom; y += 1) {
    for (let x = left; x < right; x += 1) {
      const at = 4 * (y * width + x);
      values.push(0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2]);
    }
  }
  return values.length ? median(values) : 255;
}

function median(values) {
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

// The nose's distance from the middle of the eyes, along their line and in distances between them:
// how far the head is turned.
export function noseOffset({ landmarks: [left, right, nose] }) {
  const line = [right[0] - left[0], right[1] - left[1]];
  const squared = line[0] ** 2 + line[1] ** 2;
  if (squared === 0) return Infinity;
  const away = [0, 1].map((i) => nose[i] - (left[i] + right[i]) / 2);
  return Math.abs(away[0] * line[0] + away[1] * line[1]) / squared;
}

// How far a face lies on its side in the picture, in degrees from -180 to 180, clockwise.
export function roll({ landmarks: [left, right] }) {
  return (Math.atan2(right[1] - left[1], right[0] - left[0]) * 180) / Math.PI;
}
