// The video tab: a clip goes to reader.clip, which says how far it is. What is shown and downloaded
// of the answer lies in this page.

import { download, fillSelect, make, say, takeFiles } from "./dom.mjs";
import { drawFaces, heatImage } from "./faces.mjs";
import { asker, onWeights } from "./session.mjs";
import { clipRows } from "./clip_rows.mjs";
import {
  disagreementAt,
  inTimes,
  isTranscript,
  missingInWords,
  momentBeside,
  nearest,
  pulseAt,
} from "./modalities.mjs";
import { clock, percent, tooLarge } from "./text.mjs";

const LARGEST = 200e6; // bytes
const LARGEST_WORDS = 2e6;
const MOMENT = 0.5; // seconds from a place in the clip to the point that is told there
const OTHER_WEIGHTS = "This is what other weights said.";
const EFFECT = "× says how many times as probable the joint answer is with it as without it.";
const MOST_SHOWN = 12; // timelines; the CSV has every face

// The faces seen longest, by number.
export function seenLongest(tracks, most = MOST_SHOWN) {
  const longest = [...tracks].sort((a, b) => b.frames - a.frames).slice(0, most);
  return longest.sort((a, b) => a.track - b.track);
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

// Rows as a table. differ: who disagrees now.
function momentTable(rows, differ) {
  const [made, body] = [make("table", "fer-beside-table"), make("tbody")];
  for (const { name, said, effect, words } of rows) {
    const [line, head, told] = [make("tr"), make("th", "", name), make("td")];
    head.scope = "row";
    told.append(make("span", "", said));
    if (words) told.append(make("q", "", words));
    line.append(head, told, make("td", "fer-effect", effect));
    body.append(line);
  }
  made.append(body);
  const item = make("li", "fer-all");
  item.append(made);
  if (differ) item.append(make("p", "fer-note", `They disagree. ${differ}.`));
  if (rows.some(({ effect }) => effect)) {
    item.append(make("p", "fer-subdued", EFFECT));
  }
  return item;
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
  let others = {}; // name of what is heard or read of the clip that is shown -> its stretches
  let words = null; // a file with what is said; null: none
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
    if (isTranscript(file) && props.missing && !props.missing.text) return takeWords(file);
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
    const [explained, audio, pulse] = ["explained", "audio", "pulse"].map(chosen);
    const wants = { explained, audio, pulse, smoothing: overTime.value, transcript: words };
    return reader.clip({ ...asker(), ...wants }, file, {
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
    [files, over, place] = [answer.files, answer.shown ?? null, null];
    for (const button of element.querySelectorAll(".fer-downloads button")) {
      button.hidden = !(button.dataset.do in files);
    }
    if (player.src) URL.revokeObjectURL(player.src);
    player.src = URL.createObjectURL(answer.played);
    seconds = answer.numbers.seconds;
    tracks = seenLongest(answer.numbers.tracks);
    others = answer.numbers.beside ?? {};
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
    const rows = [...clipRows({ numbers, tracks, colors, seek })];
    if (!rows.length) return;
    yield* rows;
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
    const said = Object.keys(others).length ? tellAll(time) : tellFaces(time);
    if (!place) return;
    place.value = time;
    place.setAttribute("aria-valuetext", [`${time.toFixed(1)} seconds`, ...said].join(", "));
    for (const row of element.querySelectorAll(".fer-clip-row")) {
      row.style.setProperty("--place", `${(100 * time) / Math.max(seconds, 1e-9)}%`);
    }
  }

  // Of faces alone; a heart rate, where there is one, behind what is said.
  function tellFaces(time) {
    const said = momentAt(tracks, time).map(([track, verdict]) => {
      const rate = pulseAt(tracks.find((other) => other.track === track).pulse, time);
      const told = rate ? `${verdict}, pulse ${rate}` : verdict;
      return tracks.length > 1 ? `Face ${track}: ${told}` : told;
    });
    find(".fer-moment").replaceChildren(...said.map((text) => make("li", "fer-verdict", text)));
    return said;
  }

  // Of faces and of what is heard or read: who says what, and what it does to the joint answer.
  function tellAll(time) {
    const alone = tracks.length === 1 ? tracks[0] : null;
    const joint = alone?.together ?? null;
    const faces = momentAt(tracks, time).map(([track, verdict]) => {
      const added = joint && nearest(joint, time).moved?.face;
      const name = alone ? "Face" : `Face ${track}`;
      return { name, said: verdict, effect: inTimes(added ?? undefined), words: "" };
    });
    const rows = [...faces, ...momentBeside(others, joint, time)];
    const rate = alone && pulseAt(alone.pulse, time);
    if (rate) rows.push({ name: "Pulse", said: rate, effect: "", words: "" });
    const differ = alone ? disagreementAt(alone.disagreement_times, time) : "";
    find(".fer-moment").replaceChildren(momentTable(rows, differ));
    return rows.map(({ name, said }) => `${name}: ${said}`);
  }

  // The answer that is shown is not what would be said now.
  function markStale(why) {
    if (root.dataset.state !== "done") return;
    stale.querySelector("span").textContent = why;
    stale.hidden = false;
  }

  const chosen = (name) => find(`[data-do="${name}"]`).checked;

  function takeWords(file) {
    const refused = tooLarge(file.size, LARGEST_WORDS);
    if (refused) return say(element, refused, true);
    setWords(file);
  }

  function setWords(file) {
    words = file;
    const shown = find(".fer-words-name");
    shown.hidden = !file;
    shown.querySelector("span").textContent = file?.name ?? "";
    markStale(`This clip was read ${file ? "without these" : "with the"} words.`);
  }

  // What can be asked for beside the faces. missing: undefined where nothing can.
  function offer(missing) {
    if (!missing) return;
    find(".fer-beside").hidden = false;
    const audio = find('[data-do="audio"]');
    audio.disabled = Boolean(missing.voice);
    audio.checked = !missing.voice;
    find(".fer-transcript").hidden = Boolean(missing.text);
    const why = missingInWords(missing);
    find(".fer-missing").hidden = !why;
    find(".fer-missing").textContent = why;
    for (const [name, what] of [["audio", "the voice"], ["pulse", "the heart rate"]]) {
      find(`[data-do="${name}"]`).addEventListener("change", ({ target }) =>
        markStale(`This clip was read ${target.checked ? "without" : "with"} ${what}.`),
      );
    }
    find("#fer-words").addEventListener("change", ({ target }) => {
      if (target.files[0]) takeWords(target.files[0]);
      target.value = "";
    });
    find('[data-do="no-words"]').addEventListener("click", () => setWords(null));
  }

  const seek = (time) => (player.currentTime = time);

  takeFiles(find("#fer-clip"), root, readFile);
  offer(props.missing);
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
