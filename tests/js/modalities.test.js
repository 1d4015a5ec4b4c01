import assert from "node:assert/strict";
import { test } from "node:test";

import { element } from "./fake_dom.js";
import { clipRows, longest } from "../../fer_cbam/serve/assets/clip_rows.mjs";
import {
  blocks,
  disagreementAt,
  disagreementInWords,
  drawDisagreements,
  drawPulse,
  inTimes,
  influenceInWords,
  isTranscript,
  missingInWords,
  momentBeside,
  mostly,
  pulseAt,
  pulseInWords,
  stretchesTitle,
} from "../../fer_cbam/serve/assets/modalities.mjs";

const across = (time) => time * 100;
const probs = (sadness) => ({ anger: 1 - sadness, sadness });
const stretch = (begin, time, label, sadness, words) => ({
  begin, time, label, probs: probs(sadness), ...(words ? { words } : {}),
});

test("a stretch is the same from its begin to its end, and a pause is a gap", () => {
  const said = [stretch(0, 0.5, "sadness", 0.9), stretch(0.5, 1, "anger", 0.2),
    stretch(2, 3, "sadness", 0.6), stretch(2.5, 4, "anger", 0.1)];
  assert.deepEqual(
    blocks(said).map(({ time, probs: p }) => [time, p && p.sadness]),
    [[0, null], [0, 0.9], [0.5, 0.9], [0.5, 0.2], [1, 0.2], [2, null], [2, 0.6], [3, 0.6],
      [3, 0.1], [4, 0.1]], // the last two overlap
  );
});

test("what is said for most of the time", () => {
  const said = [stretch(0, 3, "sadness", 0.9), stretch(5, 6, "anger", 0.2)];
  assert.deepEqual(mostly(said), ["sadness", 0.75]);
  assert.deepEqual(mostly([{ label: "fear" }, { label: "fear" }, { probs: null }]), ["fear", 1]);
  assert.equal(mostly([]), null);
  assert.equal(stretchesTitle("voice", said), "Voice: sadness 75 % of the time it is heard");
  assert.equal(stretchesTitle("text", said), "Words: sadness 75 % of the time");
  assert.equal(stretchesTitle("voice", []), "Voice: nothing");
});

test("what moved the answer, the most first", () => {
  const told = influenceInWords({ face: 0.26, voice: 0.74 });
  assert.equal(told, "What moved it: voice 74 %, face 26 %");
  assert.equal(influenceInWords({}), "");
  assert.deepEqual([Math.log(3.1), Math.log(0.4), Math.log(0.05)].map(inTimes),
    ["× 3.1", "× 0.4", "× 0.05"]);
  assert.deepEqual([0.01, -0.01, undefined].map(inTimes), ["", "", ""]);
});

test("who disagrees, and when", () => {
  const told = { said: "face: happiness, text: sadness", begin: 1, end: 2.5 };
  assert.equal(disagreementInWords(told), "Face: happiness, words: sadness, 1.0 to 2.5 s");
  const brief = disagreementInWords({ ...told, end: 1 });
  assert.equal(brief, "Face: happiness, words: sadness, at 1.0 s");
  assert.equal(disagreementAt([told], 2), "Face: happiness, words: sadness");
  assert.equal(disagreementAt([told], 3), "");
  assert.equal(disagreementAt(undefined, 3), "");
  const timeline = element("svg");
  drawDisagreements(timeline, [told, { ...told, end: 1 }], across);
  assert.deepEqual(timeline.children.map((mark) => mark.attributes.d),
    ["M100.0,56H250.0", "M100.0,56H102.0"]);
  const all = [{ begin: 0, end: 1 }, { begin: 2, end: 5 }, { begin: 6, end: 8 }];
  assert.deepEqual(longest(all, 2), all.slice(1));
});

test("a heart rate, or why there is none", () => {
  const pulse = [{ time: 10, bpm: 70.4, reason: "" }, { time: 15, bpm: 75.6, reason: "" },
    { time: 40, bpm: null, reason: "the face was lost for 2.0 s" }];
  const missed = "Heart rate: 70 to 76 beats a minute (not found in 1 of 3 stretches)";
  assert.equal(pulseInWords(pulse), missed);
  assert.equal(pulseInWords(pulse.slice(0, 1)), "Heart rate: 70 beats a minute");
  assert.equal(pulseInWords(pulse.slice(2)), "Heart rate: none. The face was lost for 2.0 s.");
  assert.equal(pulseInWords(undefined), "");
  assert.equal(pulseAt(pulse, 16), "76 a minute");
  assert.equal(pulseAt(pulse, 26), "");
  assert.equal(pulseAt(pulse, 39), "");
  const timeline = element("svg");
  drawPulse(timeline, [{ time: 1, bpm: 60 }, { time: 2, bpm: 76 }, pulse[2]], across);
  // From 52 to 84 beats: 60 lies a quarter from the floor.
  assert.equal(timeline.all("polyline")[0].attributes.points, "100.0,45.0 200.0,15.0");
  assert.equal(timeline.all("path").length, 2);
});

test("at a moment each says its own, and what that does to the joint answer", () => {
  const beside = { voice: [stretch(0, 1, "sadness", 0.9)],
    text: [stretch(0, 0.4, "anger", 0.3, "No."), stretch(0.5, 2, "sadness", 0.6)] };
  const together = [{ time: 0.2, label: "sadness", probs: probs(0.8),
    moved: { face: -0.5, voice: Math.log(2), text: 0.01 } }, { time: 3, probs: null }];
  assert.deepEqual(momentBeside(beside, together, 0.3), [
    { name: "Voice", said: "sadness 90 %", effect: "× 2.0", words: "" },
    { name: "Words", said: "anger 70 %", effect: "", words: "No." },
    { name: "Together", said: "sadness 80 %", effect: "", words: "" },
  ]);
  assert.deepEqual(momentBeside(beside, null, 1.5).map(({ said }) => said), ["–", "sadness 60 %"]);
  assert.equal(momentBeside(beside, together, 2.9).length, 2);
});

test("what a server lacks is said", () => {
  assert.equal(missingInWords({ voice: "", text: "", microphone: "x" }), "");
  assert.equal(missingInWords({ voice: "needs a", text: "needs b" }),
    "The voice: needs a. The words: needs b.");
  assert.deepEqual(["a.SRT", "b.vtt", "c.mp4"].map((name) => isTranscript({ name })),
    [true, true, false]);
});

const numbers = (tracks, beside) => ({ seconds: 4, tracks, beside });
const track = (number, more = {}) => ({
  track: number, dominant: "anger", shares: { anger: 1 }, first: 0, last: 4, frames: 9,
  timeline: [{ time: 1, probs: probs(0.1) }], expressions: [], ...more,
});
const titles = (shown, beside) =>
  [...clipRows({ numbers: numbers(shown, beside), tracks: shown, colors: { anger: "red",
    sadness: "blue" }, seek: () => {} })].flatMap((made) => made.all("h2"))
    .map((title) => title.textContent);

test("rows of one face, of several, and of a voice alone", () => {
  const joint = { together: [{ time: 1, label: "anger", probs: probs(0.2), moved: {} }],
    influence: {}, disagreement_times: [] };
  const beside = { voice: [stretch(0, 1, "sadness", 0.9)] };
  const voice = "Voice: sadness > 99 % of the time it is heard";
  const face = (n) => `Face ${n}: anger > 99 % of the time (0:00 to 0:04)`;
  const together = "Together: anger > 99 % of the time";
  assert.deepEqual(titles([track(1)], undefined), [face(1)]);
  assert.deepEqual(titles([track(1, joint)], beside), [face(1), voice, together]);
  assert.deepEqual(titles([track(1, joint), track(2, joint)], beside),
    [voice, face(1), together, face(2), together]);
  assert.deepEqual(titles([], beside), [voice]);
  assert.deepEqual(titles([], undefined), []);
});

test("of several faces it is said that nobody knows who speaks", () => {
  const beside = { voice: [stretch(0, 1, "sadness", 0.9)] };
  const notes = (shown, others) =>
    [...clipRows({ numbers: numbers(shown, others), tracks: shown, colors: {}, seek: () => {} })]
      .filter((made) => made.classList.contains("fer-who-speaks")).length;
  assert.equal(notes([track(1), track(2)], beside), 1);
  assert.equal(notes([track(1), track(2)], undefined), 0);
  assert.equal(notes([track(1)], beside), 0);
});
