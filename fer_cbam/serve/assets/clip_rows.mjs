// What is shown of a clip over time: a timeline for each face, for what is heard and read beside
// it, for all together, and for a heart rate.

import { make } from "./dom.mjs";
import {
  blocks,
  disagreementInWords,
  drawDisagreements,
  drawPulse,
  influenceInWords,
  pulseInWords,
  stretchesTitle,
  togetherTitle,
} from "./modalities.mjs";
import { clock, percent } from "./text.mjs";
import { WIDTH, drawExpressions, drawTimeline, makeTimeline } from "./timeline.mjs";

const WHO_SPEAKS = "It is not known who speaks: each face is held against it.";
const MOST_DISAGREEMENTS = 4; // buttons; the JSON has them all

export function titleOf({ track, dominant, shares, first, last }) {
  const share = percent(shares[dominant]);
  return `Face ${track}: ${dominant} ${share} of the time (${clock(first)} to ${clock(last)})`;
}

// An expression in words: from when to when, and when it was strongest.
export function episodeInWords({ label, onset, apex, offset, intensity }) {
  const [from, most, to] = [onset, apex, offset].map((time) => time.toFixed(1));
  return `${label} ${from} to ${to} s, most at ${most} s (${percent(intensity)})`;
}

// numbers: of the clip. tracks: those that are shown. colors: label -> CSS colour, in the order of
// areas. seek: called with the seconds of what is pressed.
export function* clipRows({ numbers, tracks, colors, seek }) {
  const across = (time) => Math.min(1, time / Math.max(numbers.seconds, 1e-9)) * WIDTH;
  const beside = Object.entries(numbers.beside ?? {});
  if (!tracks.length && !beside.length) return;
  yield legend(colors);
  const others = beside.map(([name, stretches]) => {
    const title = stretchesTitle(name, stretches);
    return row(title, (timeline) => drawTimeline(timeline, blocks(stretches), colors, across));
  });
  // One face, and what is heard, and all together, one below the other; of several faces what is
  // heard stands first, as it is not known who speaks.
  if (tracks.length !== 1) yield* others;
  if (tracks.length > 1 && others.length) yield make("p", "fer-subdued fer-who-speaks", WHO_SPEAKS);
  for (const track of tracks) {
    yield row(titleOf(track), (timeline) => {
      drawTimeline(timeline, track.timeline, colors, across);
      drawExpressions(timeline, track.expressions, across);
    });
    if (tracks.length === 1) yield* others;
    yield* together(track, colors, across);
    yield* pulse(track, across);
    yield* disagreements(track, seek);
    yield expressions(track, seek);
  }
}

function legend(colors) {
  const made = make("p", "fer-legend");
  for (const [label, color] of Object.entries(colors)) {
    const [swatch, square] = [make("span"), make("i")];
    square.style.background = color;
    swatch.append(square, label);
    made.append(swatch);
  }
  return made;
}

function row(title, draw) {
  const made = make("div", "fer-clip-row");
  const timeline = makeTimeline("fer-clip-timeline", title);
  draw(timeline);
  made.append(make("h2", "", title), timeline);
  return made;
}

// Buttons that go to a time: [words, seconds] of each.
function places(className, found, seek) {
  const list = make("ul", className);
  for (const [words, time] of found) {
    const [item, button] = [make("li"), make("button", "fer-secondary", words)];
    button.type = "button";
    button.addEventListener("click", () => seek(time));
    item.append(button);
    list.append(item);
  }
  return list;
}

// The expressions of a face, each a button that goes to where it is strongest.
function expressions({ expressions: found }, seek) {
  const all = found.map((episode) => [episodeInWords(episode), episode.apex]);
  return places("fer-expressions", all, seek);
}

function* together(track, colors, across) {
  if (!track.together?.length) return;
  yield row(togetherTitle(track), (timeline) => {
    drawTimeline(timeline, track.together, colors, across);
    drawDisagreements(timeline, track.disagreement_times, across);
  });
  const moved = influenceInWords(track.influence);
  if (moved) yield make("p", "fer-subdued fer-influence", moved);
}

function* disagreements({ disagreement_times: found }, seek) {
  if (!found?.length) return;
  const shown = longest(found, MOST_DISAGREEMENTS);
  const part = `They disagree (the longest ${shown.length} of ${found.length})`;
  const title = shown.length < found.length ? part : "They disagree";
  yield make("h3", "fer-disagreements", title);
  const all = shown.map((told) => [disagreementInWords(told), told.begin]);
  yield places("fer-expressions fer-disagreed", all, seek);
}

// The longest of some stretches of time, in order.
export function longest(stretches, most) {
  const length = ({ begin, end }) => end - begin;
  const found = [...stretches].sort((a, b) => length(b) - length(a)).slice(0, most);
  return found.sort((a, b) => a.begin - b.begin);
}

function* pulse(track, across) {
  const words = pulseInWords(track.pulse);
  if (!words) return;
  if (track.pulse.every(({ bpm }) => bpm === null)) {
    yield make("p", "fer-subdued fer-no-pulse", words);
    return;
  }
  yield row(words, (timeline) => drawPulse(timeline, track.pulse, across));
}
