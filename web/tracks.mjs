// Faces followed from frame to frame, and their probabilities smoothed over time:
// fer_cbam/video/tracks.py, which says why it is done so.

import { assign } from "./assignment.mjs";
import { average } from "./smoothing.mjs";

export const FORGET_AFTER = 1; // seconds that a face may be missed for
const MAX_FACES = 64;
const MAX_DISTANCE = 0.7;
const STOPPED_PENALTY = 0.15; // a face is more likely to go on as it did than to stop dead
const SPEED_HALF_LIFE = 0.1; // seconds; evens out the detector's jitter
const SPEED_LASTS = 0.5; // seconds after which a face out of sight has slowed down to 1 / e

export const emptyMemory = () => ({ faces: [], next: 1 });

// memory: from the last frame. recognitions: of this frame. time: in seconds on an even clock; if
// it runs backwards, everyone is new. decision: what is said of smoothed probabilities. smoother:
// of smoothing.mjs.
// Gives {tracked, memory}: the recognitions with their `track` and smoothed answers, and what to
// remember. A face that another smoother remembered, or one of other labels, starts anew.
export function follow(memory, recognitions, time, decision, options = {}) {
  const { smoother = average(), forgetAfter = FORGET_AFTER } = options;
  const fresh = memory.faces.filter((face) => {
    const passed = time - face.time;
    return passed >= 0 && passed <= forgetAfter;
  });
  const found = pairs(fresh, recognitions, time);
  let { next } = memory;
  const [tracked, seen] = [[], []];
  recognitions.forEach((recognition, number) => {
    const old = found.has(number) ? fresh[found.get(number)] : null;
    const track = old ? old.track : next;
    if (!old) next += 1;
    const own = [smoother.name, ...Object.keys(recognition.probs)].join();
    const known = old?.smoother === own;
    const { probs, state } = smoother.step(
      recognition, known ? time - old.time : 0, known ? old.state : null,
    );
    const answer = decision.softened(smoother.softens).ofProbs(probs, recognition.no_face);
    tracked.push({ ...recognition, ...answer, track });
    seen.push({ ...remembered(track, old, recognition, time), state, smoother: own });
  });
  const matched = new Set(found.values());
  const missed = fresh.filter((_, i) => !matched.has(i));
  return { tracked, memory: { faces: [...seen, ...missed].slice(0, MAX_FACES), next } };
}

const sides = ([x1, y1, x2, y2]) => [Math.max(x2 - x1, 0), Math.max(y2 - y1, 0)];

// How far a face is from another place: the mean of 1 - IoU of the boxes and of the mean distance
// of the landmarks in sides of the smaller box.
function distance(face, box, landmarks) {
  const shared = [0, 1].map((i) =>
    Math.max(Math.min(face.box[i + 2], box[i + 2]) - Math.max(face.box[i], box[i]), 0),
  );
  const intersection = shared[0] * shared[1];
  const [one, other] = [face.box, box].map(sides).map(([w, h]) => w * h);
  const iou = intersection / Math.max(one + other - intersection, 1e-9);
  const apart =
    face.landmarks
      .map(([x, y], i) => Math.hypot(x - landmarks[i][0], y - landmarks[i][1]))
      .reduce((sum, length) => sum + length, 0) / landmarks.length;
  return (1 - iou + apart / Math.sqrt(Math.max(Math.min(one, other), 1e-9))) / 2;
}

// Number of a recognition -> number of its remembered face.
function pairs(memory, recognitions, time) {
  if (!memory.length || !recognitions.length) return new Map();
  // To leave a face unmatched costs as much as the worst match. Otherwise one that left and one
  // that came would be matched at the price of everyone between them.
  const costs = recognitions.map((recognition) =>
    memory.map((old) => Math.min(costOf(recognition, old, time), MAX_DISTANCE)),
  );
  return new Map(assign(costs).filter(([i, j]) => costs[i][j] < MAX_DISTANCE));
}

// Distance from where an old face should be by now, or was last.
function costOf(recognition, { box, landmarks, speed, time: seen }, time) {
  const seconds = SPEED_LASTS * (1 - Math.exp((seen - time) / SPEED_LASTS));
  const shift = speed.map((v) => v * seconds);
  const movedBox = box.map((v, i) => v + shift[i % 2]);
  const movedLandmarks = landmarks.map(([x, y]) => [x + shift[0], y + shift[1]]);
  const moved = distance(recognition, movedBox, movedLandmarks);
  return Math.min(moved, distance(recognition, box, landmarks) + STOPPED_PENALTY);
}

function remembered(track, old, { box, landmarks }, time) {
  let speed = old ? old.speed : [0, 0];
  const passed = old ? time - old.time : 0;
  if (passed > 0) {
    const weight = 1 - 0.5 ** (passed / SPEED_HALF_LIFE);
    speed = speed.map((before, i) => {
      const now = (box[i] + box[i + 2] - old.box[i] - old.box[i + 2]) / 2 / passed;
      return before + weight * (now - before);
    });
  }
  return { track, box, landmarks, speed, time };
}
