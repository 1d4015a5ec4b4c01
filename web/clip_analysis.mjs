// What a clip's faces say over time: timelines, shares, a table, as in fer_cbam/video/analysis.py
// and its neighbours. Nothing here grows with the clip but the table.

import { EpisodeFinder, episodeAt } from "./episodes.mjs";

const MAX_TRACKS = 50; // summed up; the table has them all
const TIMELINE_POINTS = 300;
const EPISODE_COLUMNS = ["expression", "onset_s", "apex_s", "offset_s"];
const STEP = 0.1; // seconds of a timeline's step, doubled whenever there are too many

const rounded = (value, digits) => Number(value.toFixed(digits));

// Means of probabilities in steps of time: fer_cbam/video/timeline.py.
export class Timeline {
  #bins = new Map(); // number -> [count, sums]

  constructor(step = STEP, most = TIMELINE_POINTS) {
    Object.assign(this, { step, most });
  }

  add(time, probs) {
    const number = Math.floor(time / this.step + 1e-6);
    this.#sum(this.#bins, number, 1, probs);
    while (Math.max(...this.#bins.keys()) - Math.min(...this.#bins.keys()) >= this.most) {
      const old = this.#bins;
      this.#bins = new Map();
      this.step *= 2;
      for (const [at, [count, sums]] of old) this.#sum(this.#bins, Math.floor(at / 2), count, sums);
    }
  }

  #sum(bins, number, count, probs) {
    const [before, sums] = bins.get(number) ?? [0, {}];
    for (const [label, p] of Object.entries(probs)) sums[label] = (sums[label] ?? 0) + p;
    bins.set(number, [before + count, sums]);
  }

  // Every step from the first to the last with a face; gaps have no probs.
  points() {
    if (!this.#bins.size) return [];
    const numbers = [...this.#bins.keys()];
    const [first, last] = [Math.min(...numbers), Math.max(...numbers)];
    return Array.from({ length: last - first + 1 }, (_, i) => this.#point(first + i));
  }

  #point(number) {
    const time = (number + 0.5) * this.step;
    if (!this.#bins.has(number)) return { time, probs: null };
    const [count, sums] = this.#bins.get(number);
    const means = Object.entries(sums).map(([label, sum]) => [label, sum / count]);
    return { time, probs: Object.fromEntries(means) };
  }
}

const saidOf = ({ no_face: noFace, uncertain, label }) =>
  noFace ? "no face" : uncertain ? "uncertain" : label;

export class ClipAnalysis {
  #faces = new Map(); // track -> first, last, frames, counts, timeline, finder
  #frames = 0; // that were read
  #time = 0; // of the last one, in seconds
  #rows; // [row, time, track]
  #tracks = 0; // faces that were given a number

  // weights: their name. labels: in the order of the logits. decision: what is said of means.
  constructor({ name, labels, decision }) {
    Object.assign(this, { weights: name, labels, decision });
    const head = ["time_s", "frame", "track", "x1", "y1", "x2", "y2"];
    const names = [...head, "label", "confidence", "uncertain", ...labels, ...EPISODE_COLUMNS];
    this.head = names.join(",");
    this.#rows = [];
  }

  // faces: of one frame, smoothed, with tracks. number: of the frame. time: seconds.
  add(number, time, faces) {
    [this.#time, this.#frames] = [time, this.#frames + 1];
    for (const face of faces) {
      this.#tracks = Math.max(this.#tracks, face.track);
      this.#note(time, face);
      this.#rows.push([this.#row(number, time, face), time, face.track]);
    }
  }

  #note(time, face) {
    if (!this.#faces.has(face.track)) {
      const [timeline, finder] = [new Timeline(), new EpisodeFinder()];
      this.#faces.set(face.track, { first: time, frames: 0, counts: new Map(), timeline, finder });
    }
    const known = this.#faces.get(face.track);
    const said = saidOf(face);
    known.last = time;
    known.frames += 1;
    known.counts.set(said, (known.counts.get(said) ?? 0) + 1);
    known.timeline.add(time, face.probs);
    known.finder.add(time, face.probs);
  }

  #row(number, time, face) {
    const box = Array.from(face.box, (v) => v.toFixed(1));
    const label = face.no_face ? "" : face.label;
    const probs = this.labels.map((name) => face.probs[name].toFixed(4));
    const said = [label, face.confidence.toFixed(4), Number(face.uncertain)];
    return [time.toFixed(3), number, face.track, ...box, ...said, ...probs].join(",");
  }

  // Onset, apex and offset of an expression are known only when it is over.
  table() {
    const ends = [...this.#faces].map(([track, { finder }]) => [track, finder.episodes()]);
    const episodes = new Map(ends);
    const rows = this.#rows.map(([row, time, track]) =>
      [row, ...within(episodes.get(track), Number(time.toFixed(3)))].join(","),
    );
    return [this.head, ...rows, ""].join("\r\n");
  }

  // As the server's (fer_cbam/serve/clip_numbers.py). notes: what is not as one may expect.
  numbers(notes = []) {
    const longest = [...this.#faces].sort(([, a], [, b]) => b.frames - a.frames);
    const kept = longest.slice(0, MAX_TRACKS).sort(([a], [b]) => a - b);
    const more = this.#tracks - kept.length;
    const all = [...notes];
    if (!kept.length) all.push("No face was found.");
    if (more) all.push(`${more} faces seen for a short time are not summed up here.`);
    return {
      weights: this.weights,
      labels: this.labels,
      seconds: rounded(this.#time, 3),
      frames: this.#frames,
      analysed: this.#frames,
      notes: all,
      tracks: kept.map(([track, face]) => this.#track(track, face)),
    };
  }

  #track(track, { first, last, frames, counts, timeline, finder }) {
    const ordered = [...counts].sort(([, a], [, b]) => b - a);
    const shares = ordered.map(([said, count]) => [said, rounded(count / frames, 4)]);
    return {
      track,
      first: rounded(first, 3),
      last: rounded(last, 3),
      frames,
      dominant: ordered[0][0],
      shares: Object.fromEntries(shares),
      expressions: finder.episodes().map(shownEpisode),
      timeline: timeline.points().map((point) => this.#point(point)),
    };
  }

  #point({ time, probs }) {
    if (!probs) return { time: rounded(time, 3), probs: null };
    const { label, uncertain } = this.decision.ofProbs(probs);
    const shown = Object.entries(probs).map(([name, p]) => [name, rounded(p, 4)]);
    return { time: rounded(time, 3), label, uncertain, probs: Object.fromEntries(shown) };
  }
}

const shownEpisode = ({ label, onset, apex, offset, intensity }) => ({
  label,
  onset: rounded(onset, 3),
  apex: rounded(apex, 3),
  offset: rounded(offset, 3),
  intensity: rounded(intensity, 4),
});

// The EPISODE_COLUMNS of a moment; empty between episodes.
function within(episodes, time) {
  const found = episodeAt(episodes, time);
  if (!found) return EPISODE_COLUMNS.map(() => "");
  const times = [found.onset, found.apex, found.offset].map((value) => value.toFixed(3));
  return [found.label, ...times];
}

export function clipMessage({ tracks, seconds }) {
  const count = tracks.length;
  const found = !count ? "No face was found" : count === 1 ? "One face" : `${count} faces`;
  return `${found} in ${seconds.toFixed(1)} seconds.`;
}
