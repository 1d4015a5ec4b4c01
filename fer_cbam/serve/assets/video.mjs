// The video tab: a clip goes to reader.clip, which says how far it is. What is shown and downloaded
// of the answer lies in this page.

import { download, fillSelect, make, say, takeFiles } from "./dom.mjs";
import { drawFaces, heatImage } from "./faces.mjs";
import { asker, onWeights } from "./session.mjs";
import { clock, percent, tooLarge } from "./text.mjs";
import { WIDTH, drawExpressions, drawTimeline, makeTimeline } from "./timeline.mjs";

const LARGEST = 200e6; // bytes
const MOMENT = 0.5; // seconds from a place in the clip to the point that is told there
const OTHER_WEIGHTS = "This is what other weights said.";
const MOST_SHOWN = 12; // timelines; the CSV has every face

// The faces seen longest, by number.
export function seenLongest(tracks, most = MOST_SHOWN) {
  const longest = [...tracks].sort((a, b) => b.frames - a.frames).slice(0, most);
  return longest.sort((a, b) => a.track - b.track);
}

export function titleOf({ track, dominant, shares, first, last }) {
  const share = percent(shares[dominant]);
  return `Face ${track}: ${dominant} ${share} of the time (${clock(first)} to ${clock(last)})`;
}

// What is said of each face at a time, of those in view: [track, words].
export function momentAt(tracks, time) {
  return tracks.flatMap(({ track, timeline }) => {
    const distance = (point) => Math.abs(point.time - time);
    const near = timeline.reduce((a, b) => (distance(b) < distance(a) ? b : a));
    if (!near.probs || distance(near) > MOMENT) return [];
    const { label, uncertain, probs } = near;
    return [[track, `${label}${uncertain ? "?" : ""} ${percent(probs[label])}`]];
  });
}

// An expression in words: from when to when, and when it was strongest.
export function episodeInWords({ label, onset, apex, offset, intensity }) {
  const [from, most, to] = [onset, apex, offset].map((time) => time.toFixed(1));
  return `${label} ${from} to ${to} s, most at ${most} s (${percent(intensity)})`;
}

export function start({ element, props, reader }) {
  const find = (selector) => element.querySelector(selector);
  const root = find(".fer-video");
  const player = find(".fer-annotated");
  const overlay = find(".fer-overlay");
  const stale = find(".fer-stale");
  const overTime = find('[data-pick="smoothing"]');
  let current = null; // the clip that is being read; another object for each
  let last = null; // the file of the clip that is shown; null: the example
  let files = {}; // what can be downloaded
  let tracks = []; // those whose timelines are shown
  let seconds = 0; // of the clip that is shown
  let place = null; // the slider below the timelines
  let over = null; // time -> faces that are drawn over the clip; null: it has them in its pictures

  function setState(state) {
    root.dataset.state = state;
    find(".fer-progress").hidden = !["uploading", "reading"].includes(state);
    find(".fer-clip").hidden = state !== "done";
  }

  function readFile(file) {
    if (!file || current) return;
    const refused = tooLarge(file.size, LARGEST);
    if (refused) return say(element, refused, true);
    read(file);
  }

  // file: null for the example.
  async function read(file) {
    const clip = (current = {});
    const { weights } = asker();
    last = file;
    stale.hidden = true;
    setState("uploading");
    progress(null, reader.beginning);
    say(element, "");
    try {
      const answer = await answerTo(file, clip);
      if (current !== clip) return; // cancelled
      if (answer.failed) return fail(answer.message);
      show(answer);
      setState("done");
      say(element, answer.message);
      if (weights !== asker().weights) markStale(OTHER_WEIGHTS);
    } catch {
      if (current === clip) fail(reader.unanswered());
    } finally {
      if (current === clip) current = null;
    }
  }

  function answerTo(file, clip) {
    const wanted = () => current === clip;
    const explained = find('[data-do="explained"]').checked;
    return reader.clip({ ...asker(), explained, smoothing: overTime.value }, file, {
      wanted,
      reading: () => wanted() && setState("reading"),
      progress(fraction, done) {
        if (!wanted()) return;
        const share = fraction === null ? "" : `${Math.round(100 * fraction)} %, `;
        progress(fraction, `${share}${done.toFixed(0)} s read`);
      },
    });
  }

  function progress(fraction, text) {
    const bar = find("progress");
    if (fraction === null) bar.removeAttribute("value");
    else bar.value = fraction;
    find(".fer-done").textContent = text;
  }

  function fail(message) {
    setState("failed");
    say(element, message, true);
  }

  function show(answer) {
    [files, over] = [answer.files, answer.shown ?? null];
    for (const button of element.querySelectorAll(".fer-downloads button")) {
      button.hidden = !(button.dataset.do in files);
    }
    if (player.src) URL.revokeObjectURL(player.src);
    player.src = URL.createObjectURL(answer.played);
    seconds = answer.numbers.seconds;
    tracks = seenLongest(answer.numbers.tracks);
    find(".fer-timelines").replaceChildren(...timelines(answer));
    showMoment();
  }

  function drawOver() {
    const now = over?.(player.currentTime);
    if (!now) return overlay.replaceChildren();
    drawFaces(overlay, now.faces, now.size);
    overlay.prepend(...now.heats.map((heat) => heatImage(...heat)));
  }

  // With each frame that is shown, where the browser tells.
  function drawEachFrame() {
    if (over) drawOver();
    player.requestVideoFrameCallback?.(drawEachFrame);
  }

  function* timelines({ numbers, colors }) {
    for (const note of numbers.notes) yield make("p", "fer-note", note);
    if (!numbers.tracks.length) return;
    const legend = make("p", "fer-legend");
    for (const [label, color] of Object.entries(colors)) {
      const [swatch, square] = [make("span"), make("i")];
      square.style.background = color;
      swatch.append(square, label);
      legend.append(swatch);
    }
    yield legend;
    const across = (time) => Math.min(1, time / Math.max(seconds, 1e-9)) * WIDTH;
    for (const track of tracks) {
      const row = make("div", "fer-clip-row");
      const timeline = makeTimeline("fer-clip-timeline", titleOf(track));
      drawTimeline(timeline, track.timeline, colors, across);
      drawExpressions(timeline, track.expressions, across);
      row.append(make("h2", "", titleOf(track)), timeline);
      yield row;
      yield expressions(track);
    }
    yield makePlace();
    const axis = make("p", "fer-axis");
    axis.append(make("span", "", "0:00"), make("span", "", clock(seconds)));
    yield axis;
    const more = numbers.tracks.length - tracks.length;
    if (more) yield make("p", "fer-subdued", `${more} more in the CSV.`);
  }

  // The expressions of a face, each a button that goes to where it is strongest.
  function expressions({ expressions: found }) {
    const list = make("ul", "fer-expressions");
    for (const episode of found) {
      const [item, button] = [make("li"), make("button", "fer-secondary", episodeInWords(episode))];
      button.type = "button";
      button.addEventListener("click", () => (player.currentTime = episode.apex));
      item.append(button);
      list.append(item);
    }
    return list;
  }

  // Where the clip is, as a slider that the keyboard moves too.
  function makePlace() {
    place = make("input", "fer-place");
    Object.assign(place, { type: "range", min: 0, max: seconds, step: 0.1, value: 0 });
    place.setAttribute("aria-label", "Place in the clip");
    place.addEventListener("input", () => (player.currentTime = Number(place.value)));
    return place;
  }

  // What is said at the place where the clip is, in writing beside the picture.
  function showMoment() {
    const time = player.currentTime;
    const said = momentAt(tracks, time).map(([track, words]) =>
      tracks.length > 1 ? `Face ${track}: ${words}` : words,
    );
    find(".fer-moment").replaceChildren(...said.map((text) => make("li", "fer-verdict", text)));
    if (!tracks.length) return;
    place.value = time;
    place.setAttribute("aria-valuetext", [`${time.toFixed(1)} seconds`, ...said].join(", "));
    for (const row of element.querySelectorAll(".fer-clip-row")) {
      row.style.setProperty("--place", `${(100 * time) / Math.max(seconds, 1e-9)}%`);
    }
  }

  // The answer that is shown is not what would be said now.
  function markStale(why) {
    if (root.dataset.state !== "done") return;
    stale.querySelector("span").textContent = why;
    stale.hidden = false;
  }

  takeFiles(find("#fer-clip"), root, readFile);
  find('[data-do="example"]').addEventListener("click", () => {
    if (!current) read(null);
  });
  find('[data-do="cancel"]').addEventListener("click", () => {
    current = null;
    setState("idle");
    say(element, "");
  });
  find('[data-do="again"]').addEventListener("click", () => read(last));
  find('[data-do="explained"]').addEventListener("change", ({ target }) =>
    markStale(`This clip was read ${target.checked ? "without" : "with"} the evidence.`),
  );
  overTime.addEventListener("change", () => markStale("This clip was put together another way."));
  fillSelect(overTime, props.smoothing);
  onWeights((answer) => {
    fillSelect(overTime, answer.smoothing);
    markStale(OTHER_WEIGHTS);
  });
  player.addEventListener("timeupdate", showMoment);
  player.addEventListener("timeupdate", drawOver);
  player.requestVideoFrameCallback?.(drawEachFrame);
  find('[data-do="example"]').hidden = reader.exampleClip === false;
  root.addEventListener("click", (event) => {
    const button = event.target.closest(".fer-downloads button");
    if (button) download(...files[button.dataset.do]);
    const timeline = event.target.closest(".fer-clip-timeline");
    if (timeline) {
      const { left, width } = timeline.getBoundingClientRect();
      player.currentTime = (seconds * (event.clientX - left)) / width;
    }
  });
}
