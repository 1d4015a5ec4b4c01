// The video tab: a clip is uploaded, the server is asked how far it is, and what it made of the
// clip is fetched and then forgotten there: what is shown and downloaded lies in this page.

import { download, jsonBlob, make, pause, say, takeFiles } from "./dom.mjs";
import { UNANSWERED, asker } from "./session.mjs";
import { clock, percent, tooLarge } from "./text.mjs";
import { WIDTH, drawTimeline, makeTimeline } from "./timeline.mjs";

const LARGEST = 200e6; // bytes
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

async function fetched(path, type) {
  const response = await fetch(`${window.gradio_config.root}/gradio_api/file=${path}`);
  if (!response.ok) throw new Error(response.statusText);
  return new Blob([await response.arrayBuffer()], { type });
}

export function start({ element, server, upload }) {
  const find = (selector) => element.querySelector(selector);
  const root = find(".fer-video");
  const player = find(".fer-annotated");
  let current = null; // the clip that is being read; another object for each
  let files = {}; // what can be downloaded
  let seconds = 0; // of the clip that is shown

  function setState(state) {
    root.dataset.state = state;
    find(".fer-progress").hidden = !["uploading", "reading"].includes(state);
    find(".fer-clip").hidden = state !== "done";
  }

  async function read(file) {
    if (!file || current) return;
    const refused = tooLarge(file.size, LARGEST);
    if (refused) return say(element, refused, true);
    const clip = (current = { name: null });
    setState("uploading");
    progress(null, "Uploading…");
    say(element, "");
    try {
      const answer = await answerTo(file, clip);
      if (current !== clip) return; // cancelled
      if (answer.failed) return fail(answer.message);
      await show(answer);
      setState("done");
      say(element, answer.message);
    } catch {
      if (current === clip) fail(UNANSWERED);
    } finally {
      if (current === clip) current = null;
      if (clip.name) server.clip_forget({ clip: clip.name }).catch(() => {});
    }
  }

  async function answerTo(file, clip) {
    const { path } = await upload(file);
    const started = await server.clip_start({ ...asker(), path });
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
    find(".fer-timelines").replaceChildren(...timelines(answer));
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
    const shown = seenLongest(numbers.tracks);
    const across = (time) => Math.min(1, time / Math.max(seconds, 1e-9)) * WIDTH;
    for (const track of shown) {
      const row = make("div", "fer-clip-row");
      const timeline = makeTimeline("fer-clip-timeline", titleOf(track));
      drawTimeline(timeline, track.timeline, colors, across);
      row.append(make("h4", "", titleOf(track)), timeline);
      yield row;
    }
    const axis = make("p", "fer-axis");
    axis.append(make("span", "", "0:00"), make("span", "", clock(seconds)));
    yield axis;
    const more = numbers.tracks.length - shown.length;
    if (more) yield make("p", "fer-subdued", `${more} more in the CSV.`);
  }

  takeFiles(find("#fer-clip"), find(".fer-drop"), read);
  find('[data-do="cancel"]').addEventListener("click", () => {
    current = null;
    setState("idle");
    say(element, "");
  });
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
