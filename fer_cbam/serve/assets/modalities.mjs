// What is heard, read and measured of a clip beside its faces, and what they say together: in words
// and over the timelines. Numbers come from the server; nothing here is computed from another.

import { svg } from "./dom.mjs";
import { percent } from "./text.mjs";
import { HEIGHT } from "./timeline.mjs";

const NAMES = { face: "face", voice: "voice", text: "words" };
const LITTLE = 0.05; // of a log probability: what moves an answer by less does not move it
const AROUND = 8; // beats a minute that are shown above and below a heart rate
const REACH = 10; // seconds on either side of its middle that a heart rate is of

export const nameOf = (modality) => NAMES[modality] ?? modality;
const capital = (word) => word[0].toUpperCase() + word.slice(1);

// Stretches of time as points of a timeline: each is the same from its begin to its end.
export function blocks(stretches) {
  const points = [];
  let end = -Infinity;
  for (const { begin, time, probs } of stretches) {
    if (begin > end) points.push({ time: begin, probs: null });
    points.push({ time: Math.max(begin, end), probs }, { time, probs });
    end = time;
  }
  return points;
}

// The label that is said for most of the time, with its share of it: ["sadness", 0.6]. null where
// nothing is said. points: {label, begin, time} of stretches, or {label} at even steps.
export function mostly(points) {
  const times = new Map();
  let all = 0;
  for (const { label, begin, time } of points) {
    if (!label) continue;
    const length = begin === undefined ? 1 : time - begin;
    times.set(label, (times.get(label) ?? 0) + length);
    all += length;
  }
  const [found] = [...times].sort(([, a], [, b]) => b - a);
  return found && all ? [found[0], found[1] / all] : null;
}

export function stretchesTitle(modality, stretches) {
  const found = mostly(stretches);
  const name = capital(nameOf(modality));
  if (!found) return `${name}: nothing`;
  const spoken = modality === "voice" ? "of the time it is heard" : "of the time";
  return `${name}: ${found[0]} ${percent(found[1])} ${spoken}`;
}

export function togetherTitle({ together }) {
  const found = mostly(together);
  return `Together: ${found ? `${found[0]} ${percent(found[1])} of the time` : "nothing"}`;
}

// "What moved it: face 74 %, voice 26 %"; empty where only one of them ever spoke.
export function influenceInWords(influence) {
  const parts = Object.entries(influence)
    .sort(([, a], [, b]) => b - a)
    .map(([name, share]) => `${nameOf(name)} ${percent(share)}`);
  return parts.length ? `What moved it: ${parts.join(", ")}` : "";
}

// "face: happiness, text: sadness" -> "Face: happiness, words: sadness"
export const whoDisagrees = (said) =>
  capital(said.replace(/(^|, )(\w+):/g, (_, comma, name) => `${comma}${nameOf(name)}:`));

export function disagreementInWords({ said, begin, end }) {
  const when = end - begin < 0.1 ? `at ${begin.toFixed(1)} s`
    : `${begin.toFixed(1)} to ${end.toFixed(1)} s`;
  return `${whoDisagrees(said)}, ${when}`;
}

// A disagreement under the areas of what all say together.
export function drawDisagreements(timeline, disagreements, across) {
  const marks = disagreements.map(({ begin, end }) => {
    const ends = [across(begin), Math.max(across(end), across(begin) + 2)];
    const [from, to] = ends.map((x) => x.toFixed(1));
    return svg("path", { class: "fer-disagree", d: `M${from},${HEIGHT - 4}H${to}` });
  });
  timeline.append(...marks);
}

// The heart rate of a face in words; empty where it was not asked for.
export function pulseInWords(pulse) {
  if (!pulse?.length) return "";
  const rates = pulse.flatMap(({ bpm }) => (bpm === null ? [] : [Math.round(bpm)]));
  if (!rates.length) return `Heart rate: none. ${capital(pulse[0].reason)}.`;
  const [least, most] = [Math.min(...rates), Math.max(...rates)];
  const missed = pulse.length - rates.length;
  const beats = least === most ? `${least}` : `${least} to ${most}`;
  const part = missed ? ` (not found in ${missed} of ${pulse.length} stretches)` : "";
  return `Heart rate: ${beats} beats a minute${part}`;
}

// Heart rates as a line; the height is a little more than they need.
export function drawPulse(timeline, pulse, across) {
  const found = pulse.filter(({ bpm }) => bpm !== null);
  if (!found.length) return timeline.replaceChildren();
  const rates = found.map(({ bpm }) => bpm);
  const [low, high] = [Math.min(...rates) - AROUND, Math.max(...rates) + AROUND];
  const place = ({ time, bpm }) =>
    `${across(time).toFixed(1)},${(HEIGHT * (1 - (bpm - low) / (high - low))).toFixed(1)}`;
  const dots = found.map((rate) => svg("path", { class: "fer-beat", d: `M${place(rate)}h0.01` }));
  const line = svg("polyline", { class: "fer-pulse", points: found.map(place).join(" ") });
  timeline.replaceChildren(line, ...dots);
}

export const nearest = (points, time) =>
  points.reduce((a, b) => (Math.abs(b.time - time) < Math.abs(a.time - time) ? b : a));

// What is said at a time by all but the faces: of each {name, said, effect, words}. effect: how
// many times as probable it makes the joint answer. words: those that it is of. together: what one
// face and all others say together; null where there are several faces.
export function momentBeside(beside, together, time) {
  const joint = together?.length ? nearest(together, time) : null;
  const moved = joint?.probs ? joint.moved : {};
  const rows = Object.entries(beside).map(([name, stretches]) => {
    const now = stretches.findLast(({ begin, time: end }) => begin <= time && time <= end);
    const said = now ? `${now.label} ${percent(now.probs[now.label])}` : "–";
    const effect = now ? inTimes(moved[name]) : "";
    return { name: capital(nameOf(name)), said, effect, words: now?.words ?? "" };
  });
  if (!joint?.probs) return rows;
  const said = `${joint.label} ${percent(joint.probs[joint.label])}`;
  return [...rows, { name: "Together", said, effect: "", words: "" }];
}

// What a modality added to a log probability, as "× 2.1"; empty where that is next to nothing.
export function inTimes(added) {
  if (added === undefined || Math.abs(added) < LITTLE) return "";
  const times = Math.exp(added);
  return `× ${times.toFixed(times < 0.1 ? 2 : 1)}`;
}

// "Heart rate 72" of a face at a time; empty where there is none.
export function pulseAt(pulse, time) {
  if (!pulse?.length) return "";
  const { bpm, time: middle } = nearest(pulse, time);
  return bpm === null || Math.abs(middle - time) > REACH ? "" : `${Math.round(bpm)} a minute`;
}

export function disagreementAt(disagreements, time) {
  const now = disagreements?.find(({ begin, end }) => begin - 0.05 <= time && time <= end + 0.05);
  return now ? whoDisagrees(now.said) : "";
}

// Why parts of it are not to be had on this server. missing: name -> why, empty for what is there.
export function missingInWords({ voice, text }) {
  const parts = [["The voice", voice], ["The words", text]].filter(([, why]) => why);
  return parts.map(([name, why]) => `${name}: ${why}.`).join(" ");
}

export const isTranscript = (file) => /\.(srt|vtt|txt|tsv)$/i.test(file.name);

