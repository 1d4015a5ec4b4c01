// The video tab: a clip is uploaded, the server is asked how far it is, and what it made of the clip
// is fetched and then forgotten there: what is shown and downloaded lies in this page.
const root = find(".fer-video");
const drop = find(".fer-drop");
const input = find("#fer-clip");
const player = find(".fer-annotated");
const LARGEST = 200e6; // bytes
let current = null; // the clip that is being read; another object for each
let files = {}; // what can be downloaded

function setState(state) {
  root.dataset.state = state;
  find(".fer-progress").hidden = !["uploading", "reading"].includes(state);
  find(".fer-clip").hidden = state !== "done";
}

async function read(file) {
  if (!file || current) return;
  if (file.size > LARGEST) {
    say(`This file has ${(file.size / 1e6).toFixed(0)} MB; at most ${LARGEST / 1e6} MB can be read.`, true);
    return;
  }
  const clip = (current = { name: null });
  setState("uploading");
  progress(null, "Uploading…");
  say("");
  try {
    const { path } = await upload(file);
    const started = await server.clip_start({ ...asker(), path });
    if (started.failed) return fail(started.message);
    clip.name = started.clip;
    if (current !== clip) return server.clip_forget({ clip: clip.name });
    setState("reading");
    const answer = await follow(clip);
    if (current !== clip) return;
    if (answer.failed) return fail(answer.message);
    await show(answer);
    setState("done");
    say(answer.message);
  } catch (error) {
    if (current === clip) fail(UNANSWERED);
  } finally {
    if (current === clip) current = null;
    if (clip.name) server.clip_forget({ clip: clip.name }).catch(() => {});
  }
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
  say(message, true);
}

async function show(answer) {
  const fetched = async (path, type) => {
    const response = await fetch(`${window.gradio_config?.root ?? ""}/gradio_api/file=${path}`);
    if (!response.ok) throw new Error(response.statusText);
    return new Blob([await response.arrayBuffer()], { type });
  };
  if (player.src) URL.revokeObjectURL(player.src);
  const numbers = new Blob([JSON.stringify(answer.numbers, null, 2)], { type: "application/json" });
  files = {
    annotated: [await fetched(answer.annotated, "video/webm"), "fer-cbam.webm"],
    table: [await fetched(answer.table, "text/csv"), "fer-cbam.csv"],
    numbers: [numbers, "fer-cbam.json"],
  };
  player.src = URL.createObjectURL(files.annotated[0]);
  player.dataset.seconds = answer.numbers.seconds;
  find(".fer-timelines").innerHTML = answer.result;
}

input.addEventListener("change", () => {
  read(input.files[0]);
  input.value = ""; // so that the same file can be chosen again
});
find('[data-do="cancel"]').addEventListener("click", () => {
  current = null;
  setState("idle");
  say("");
});
root.addEventListener("click", (event) => {
  const button = event.target.closest(".fer-downloads button");
  if (button) download(...files[button.dataset.do]);
  const timeline = event.target.closest(".fer-clip-timeline");
  if (timeline) {
    const { left, width } = timeline.getBoundingClientRect();
    player.currentTime = (Number(player.dataset.seconds) * (event.clientX - left)) / width;
  }
});
for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("fer-over", name === "dragenter" || name === "dragover");
    if (name === "drop") read(event.dataTransfer.files[0]);
  });
}
