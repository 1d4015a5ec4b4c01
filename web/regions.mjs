// The regions of a face, by its landmarks: fer_cbam/words/regions.py, which says where the
// proportions come from.

export const REGIONS = [
  "forehead", "brows", "eyes", "nose", "mouth", "cheeks", "jaw", "surroundings",
];

const FACE_HALF_WIDTH = 1; // of u: the cheekbones
const [HAIRLINE, BROWS_TOP, EYES_TOP, EYES_BOTTOM] = [-1.3, -0.65, -0.25, 0.25]; // of v
const [NOSE_TOP, NOSE_BOTTOM, NOSE_HALF_WIDTH, BRIDGE_HALF_WIDTH] = [-0.25, 0.72, 0.3, 0.14];
const [MOUTH_TOP, MOUTH_BOTTOM] = [0.72, 1.32]; // of v, with both lips
const MOUTH_BEYOND_CORNERS = 1.25; // half width of the mouth over that between the corners
const [CHEEKS_BOTTOM, CHIN] = [1.05, 1.95]; // of v

// landmarks: five [x, y] in pixels of the crop. Gives region -> Float32Array [side][side] of 0 and
// 1; each pixel belongs to exactly one. null where the landmarks do not span a face.
export function regionMasks(landmarks, side) {
  const toFace = faceCoordinates(landmarks);
  if (!toFace) return null;
  const masks = Object.fromEntries(REGIONS.map((name) => [name, new Float32Array(side * side)]));
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      const [u, v] = toFace.at(x, y);
      masks[regionAt(Math.abs(u), v, toFace.mouthHalf)][y * side + x] = 1;
    }
  }
  return masks;
}

const between = (value, low, high) => value >= low && value < high;

// across: distance from the middle of the face. The first region that claims a place has it.
function regionAt(across, v, mouthHalf) {
  const narrowed = FACE_HALF_WIDTH - 0.45 * Math.max(v - CHEEKS_BOTTOM, 0); // towards the chin
  if (!(between(v, HAIRLINE, CHIN) && across <= FACE_HALF_WIDTH && across <= narrowed)) {
    return "surroundings";
  }
  return isNose(across, v) ? "nose" : ringAt(across, v, mouthHalf);
}

const isNose = (across, v) =>
  (between(v, NOSE_TOP, EYES_BOTTOM) && across < BRIDGE_HALF_WIDTH) ||
  (between(v, EYES_BOTTOM, NOSE_BOTTOM) && across < NOSE_HALF_WIDTH);

function ringAt(across, v, mouthHalf) {
  if (between(v, MOUTH_TOP, MOUTH_BOTTOM) && across < mouthHalf) return "mouth";
  if (between(v, EYES_TOP, EYES_BOTTOM)) return "eyes";
  if (v < BROWS_TOP) return "forehead";
  if (v < EYES_TOP) return "brows";
  return v < CHEEKS_BOTTOM ? "cheeks" : "jaw";
}

// `at(x, y)`: u along the eyes, in distances between them, 0 halfway; v towards the mouth, 0 at the
// eyes and 1 at the mouth. mouthHalf: half the width of the mouth in u.
function faceCoordinates(landmarks) {
  if (!landmarks.flat().every(Number.isFinite)) return null;
  const [left, right, , mouthLeft, mouthRight] = landmarks;
  const middle = (p, q) => [(p[0] + q[0]) / 2, (p[1] + q[1]) / 2];
  const minus = (p, q) => [p[0] - q[0], p[1] - q[1]];
  const eyes = middle(left, right);
  const [along, down] = [minus(right, left), minus(middle(mouthLeft, mouthRight), eyes)];
  const area = along[0] * down[1] - along[1] * down[0];
  const scale = Math.max(...[...along, ...down].map(Math.abs));
  if (!(scale > 0) || Math.abs(area) / scale ** 2 < 0.05) return null;
  const turn = ([x, y]) => [
    (down[1] * x - down[0] * y) / area,
    (along[0] * y - along[1] * x) / area,
  ];
  const half = (MOUTH_BEYOND_CORNERS * Math.abs(turn(minus(mouthRight, mouthLeft))[0])) / 2;
  return { at: (x, y) => turn([x - eyes[0], y - eyes[1]]), mouthHalf: half };
}

// Points of the image in pixels of a crop, through the inverse of its affine.
export function toCrop(points, [a, b, e, c, d, f]) {
  const area = a * d - b * c;
  return points.map(([x, y]) => [
    (d * (x - e) - b * (y - f)) / area,
    (a * (y - f) - c * (x - e)) / area,
  ]);
}
