// The video tab: a clip is uploaded, the server is asked how far it is, and what it made of the
// clip is fetched and then forgotten there: what is shown and downloaded lies in this page.

import { download, jsonBlob, make, pause, say, takeFiles } from "./dom.mjs";
import { asker, onWeights, unanswered } from "./session.mjs";
import { clock, percent, tooLarge } from "./text.mjs";
import { WIDTH, drawTimeline, makeTimeline } from "./timeline.mjs";

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

async function fetched(path, type) {
  const response = await fetch(`${window.gradio_config.root}/gradio_api/file=${path}`);
  if (!response.ok) throw new Error(response.statusText);
  return new Blob([await response.arrayBuffer()], { type });
}

export function start({ element, server, upload }) {
  const find = (selector) => element.querySelector(selector);
  const root = find(".fer-video");
  const player = find(".fer-annotated");
  const stale = find(".fer-stale");
  let current = null; // the clip that is being read; another object for each
  let last = null; // how to begin with the clip that is shown, with other weights
  let files = {}; // what can be downloaded
  let tracks = []; // those whose timelines are shown
  let seconds = 0; // of the clip that is shown
  let place = null; // the slider below the timelines

  function setState(state) {
    root.dataset.state = state;
    find(".fer-progress").hidden = !["uploading", "reading"].includes(state);
    find(".fer-clip").hidden = state !== "done";
  }

  function readFile(file) {
    if (!file || current) return;
    const refused = tooLarge(file.size, LARGEST);
    if (refused) return say(element, refused, true);
    read(async (asked) => server.clip_start({ ...asked, path: (await upload(file)).path }));
  }

  // begin: (question) -> the answer that names the clip.
  async function read(begin) {
    const clip = (current = { name: null });
    const { weights } = asker();
    last = begin;
    stale.hidden = true;
    setState("uploading");
    progress(null, "Uploading…");
    say(element, "");
    try {
      const answer = await answerTo(begin, clip);
      if (current !== clip) return; // cancelled
      if (answer.failed) return fail(answer.message);
      await show(answer);
      setState("done");
      say(element, answer.message);
      if (weights !== asker().weights) markStale(OTHER_WEIGHTS);
    } catch {
      if (current === clip) fail(unanswered());
    } finally {
      if (current === clip) current = null;
      if (clip.name) server.clip_forget({ clip: clip.name }).catch(() => {});
    }
  }

  async function answerTo(begin, clip) {
    const started = await begin({ ...asker(), explained: find('[data-do="explained"]').checked });
    if (started.failed) return started;
    clip.name = started.clip;
    if (current === clip) setState("reading");
    return follow(clip);
  }

  async function follow(clip) {
    while (true) {
      const answer = await server.clip_ask({ clip: clip.name });
      if (answer.done || current !== clip) return answer;
      const share = answer.fraction === null ? "" : `${Math.round(100 * answer.fraction)} %, `;
      progress(answer.fraction, `${share}${answer.seconds.toFixed(0)} s read`);
      await pause(300);
    }
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

  async function show(answer) {
    files = {
      annotated: [await fetched(answer.annotated, "video/webm"), "fer-cbam.webm"],
      table: [await fetched(answer.table, "text/csv"), "fer-cbam.csv"],
      numbers: [jsonBlob(answer.numbers), "fer-cbam.json"],
    };
    if (player.src) URL.revokeObjectURL(player.src);
    player.src = URL.createObjectURL(files.annotated[0]);
    seconds = answer.numbers.seconds;
    tracks = seenLongest(answer.numbers.tracks);
    find(".fer-timelines").replaceChildren(...timelines(answer));
    showMoment();
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
      row.append(make("h2", "", titleOf(track)), timeline);
      yield row;
    }
    yield makePlace();
    const axis = make("p", "fer-axis");
    axis.append(make("span", "", "0:00"), make("span", "", clock(seconds)));
    yield axis;
    const more = numbers.tracks.length - tracks.length;
    if (more) yield make("p", "fer-subdued", `${more} more in the CSV.`);
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
    if (!current) read((asked) => server.example_clip(asked));
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
  onWeights(() => markStale(OTHER_WEIGHTS));
  player.addEventListener("timeupdate", showMoment);
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
