// The webcam tab: a frame goes to server.frame, and the next only when the answer is on the screen;
// where answers come quickly, when half of the usual time has passed, so that page and server work
// side by side. So frames are dropped, never queued, and who has many visitors beside them waits in
// line with the others. Explanations are asked for apart (server.explain), for the newest frame whenever
// the last one has been drawn: no label waits for them.
const root = find(".fer-webcam");
const video = find(".fer-source");
const plain = find(".fer-plain");
const explained = find(".fer-explained");
const cameras = find('[data-pick="camera"]');
const cards = find(".fer-cards");
const LONGEST = 640; // pixels of a frame's longer side
const WINDOW = 2000; // ms over which the frame rate is counted
const HISTORY = 30; // seconds of the timeline
const TICK = 0.1; // seconds between two points of the timeline
const GAP = 1; // seconds without a face after which its timeline is interrupted
const MOST_CARDS = 3;
const QUICK = 120; // ms of latency up to which two frames are on their way at once

let stream = null;
let memory = null; // what the server wants to remember of the faces, from one frame to the next
let shown = []; // [time, latency] of the frames of the last two seconds
let fresh = false; // a frame has come since the last one was taken
let asking = 0; // frames on their way
let latency = 0; // ms, of late
let next = 0; // when the next frame may be taken
let newest = 0; // when the frame on the screen was taken
let waiting = null; // the newest frame that has not been explained, with its faces
let people = new Map(); // track -> card and history
let colors = props.colors;

function setState(state) {
  root.dataset.state = state;
  find('[data-do="start"]').disabled = state === "starting";
}

async function start() {
  stop();
  setState("starting");
  say("Waiting for the camera…");
  const chosen = cameras.value ? { deviceId: { exact: cameras.value } } : { facingMode: "user" };
  let opened;
  try {
    opened = await openCamera(video, chosen);
  } catch (error) {
    stop();
    say(refusal(error), true);
    return;
  }
  stream = opened;
  stream.getVideoTracks()[0].addEventListener("ended", () => {
    stop();
    say("The camera was disconnected.", true);
  });
  say("");
  setState("live");
  await listCameras();
  watchFrames(stream);
  run(stream);
  explain(stream);
}

function stop() {
  closeCamera(video, stream);
  stream = null;
  waiting = null;
  shown = [];
  forget();
  find(".fer-rate").textContent = "";
  for (const canvas of [plain, explained]) {
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
  }
  say("");
  setState("idle");
}

function forget() {
  memory = null;
  people = new Map();
  cards.replaceChildren();
}

async function listCameras() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  const inputs = devices.filter((device) => device.kind === "videoinput");
  const used = stream?.getVideoTracks()[0].getSettings().deviceId;
  cameras.replaceChildren(
    ...inputs.map((device, i) => new Option(device.label || `Camera ${i + 1}`, device.deviceId, false, device.deviceId === used)),
  );
  cameras.parentElement.hidden = inputs.length < 2;
}

function watchFrames(source) {
  if (!video.requestVideoFrameCallback) return;
  const note = () => {
    fresh = true;
    if (stream === source) video.requestVideoFrameCallback(note);
  };
  video.requestVideoFrameCallback(note);
}

async function run(source) {
  [asking, latency, next, newest] = [0, 0, 0, 0];
  while (stream === source) {
    if (element.offsetParent === null) return stop(); // the visitor went to another tab
    const room = asking < (latency < QUICK ? 2 : 1);
    const stale = video.requestVideoFrameCallback && !fresh;
    if (document.hidden || stale || !room || performance.now() < next) {
      await pause(document.hidden ? 200 : 3);
      continue;
    }
    fresh = false;
    next = performance.now() + latency / 2;
    asking += 1;
    step(source)
      .catch(() => {
        if (stream !== source) return;
        say(UNANSWERED, true);
        next = performance.now() + 1000;
      })
      .finally(() => (asking -= 1));
  }
}

async function step(source) {
  const taken = performance.now();
  const frame = document.createElement("canvas");
  drawCamera(video, stream, frame, LONGEST);
  const asked = asker();
  const image = frame.toDataURL("image/jpeg", 0.85);
  const answer = await server.frame({ ...asked, image, time: taken / 1000, memory });
  if (stream !== source || asked.weights !== asker().weights) return;
  if (answer.stale || taken < newest) return; // a newer one is on the screen
  newest = taken;
  say(answer.message, answer.failed);
  if (answer.failed) {
    next = performance.now() + 500;
    return;
  }
  memory = answer.memory;
  draw(plain, frame);
  const pen = plain.getContext("2d");
  for (const face of answer.faces) drawBox(pen, face);
  waiting = { frame, faces: answer.faces };
  follow(answer.faces, taken / 1000);
  count(taken);
}

function draw(canvas, frame) {
  if (canvas.width !== frame.width) canvas.width = frame.width;
  if (canvas.height !== frame.height) canvas.height = frame.height;
  canvas.getContext("2d").drawImage(frame, 0, 0);
}

function drawBox(pen, face) {
  const [x1, y1, x2, y2] = face.box;
  const unit = pen.canvas.width / 640;
  for (const [width, color] of [[5, "rgb(0 0 0 / 55%)"], [2.5, face.color]]) {
    pen.lineWidth = width * unit;
    pen.strokeStyle = color;
    pen.beginPath();
    pen.roundRect(x1, y1, x2 - x1, y2 - y1, 6 * unit);
    pen.stroke();
  }
  const size = Math.min(22, Math.max(15, (x2 - x1) / unit / 7)) * unit;
  pen.font = `600 ${size}px system-ui, sans-serif`;
  const width = pen.measureText(face.caption).width + 0.9 * size;
  const height = 1.5 * size;
  const left = Math.max(0, Math.min(x1, pen.canvas.width - width));
  const top = y1 - height >= 0 ? y1 - height : Math.min(y2, pen.canvas.height - height);
  pen.fillStyle = face.color;
  pen.beginPath();
  pen.roundRect(left, top, width, height, 5 * unit);
  pen.fill();
  pen.fillStyle = face.ink;
  pen.textBaseline = "middle";
  pen.fillText(face.caption, left + 0.45 * size, top + height / 2 + unit);
}

async function explain(source) {
  while (stream === source) {
    const asked = waiting;
    if (!asked) {
      await pause(4);
      continue;
    }
    waiting = null;
    const faces = asked.faces.map(({ crop, label }) => ({ crop, label }));
    const began = performance.now();
    try {
      const answer = faces.length
        ? await server.explain({ ...asker(), map: find('[name="fer-map"]:checked').value, faces })
        : { layers: [] };
      if (stream !== source) return;
      if (!answer.failed && !answer.stale) await drawLayers(asked, answer.layers);
      await pause(performance.now() - began); // at least half of the time belongs to the labels
    } catch (error) {
      await pause(1000);
    }
  }
}

async function drawLayers(asked, layers) {
  const images = await Promise.all(layers.map((url) => url && picture(url)));
  draw(explained, asked.frame);
  const pen = explained.getContext("2d");
  pen.globalAlpha = find('[data-do="opacity"]').value / 100;
  images.forEach((image, i) => {
    if (!image) return;
    pen.setTransform(...asked.faces[i].transform);
    pen.drawImage(image, 0, 0);
  });
  pen.resetTransform();
  pen.globalAlpha = 1;
  root.dataset.explained = Number(root.dataset.explained) + 1;
}

// A card for each person, the same one for as long as the person stays.
function follow(faces, now) {
  const carded = faces.slice(0, MOST_CARDS);
  for (const face of carded) {
    if (!people.has(face.track)) people.set(face.track, makeCard(face, now));
    const person = people.get(face.track);
    person.seen = now;
    const moment = { time: now, probs: face.probs };
    if (now - (person.history.at(-1)?.time ?? 0) >= TICK) person.history.push(moment);
    while (person.history.length && now - person.history[0].time > HISTORY) person.history.shift();
    fillCard(person, face);
  }
  for (const [track, person] of people) {
    const gone = now - person.seen;
    person.card.classList.toggle("fer-away", gone > GAP);
    if (gone > 4) {
      person.card.remove();
      people.delete(track);
    } else if (now - person.drawn >= TICK) {
      person.drawn = now;
      drawTimeline(person, now);
    }
  }
  const alone = people.size === 1;
  let number = 0;
  for (const person of people.values()) person.who.textContent = alone ? "Your expression" : `Face ${++number}`;
}

function makeCard(face, now) {
  const card = make("section", "fer-card fer-live-card");
  const title = make("h3");
  const who = make("span", "fer-who");
  const verdict = make("b", "fer-verdict");
  title.append(who, verdict);
  const list = make("ul", "fer-bars");
  const rows = {};
  for (const label of Object.keys(face.probs)) {
    const row = make("li");
    const bar = make("div", "fer-bar");
    const track = make("span", "fer-track");
    const fill = make("span", "fer-fill");
    fill.style.background = colors[label] ?? "rgb(255, 255, 255)";
    track.append(fill);
    const number = make("span", "fer-percent");
    bar.append(make("span", "fer-name", label), track, number);
    row.append(bar);
    list.append(row);
    rows[label] = { fill, number };
  }
  const timeline = make("canvas", "fer-timeline");
  timeline.setAttribute("role", "img");
  timeline.setAttribute("aria-label", `Shares of the expressions over the last ${HISTORY} seconds`);
  const axis = make("p", "fer-axis");
  axis.append(make("span", "", `${HISTORY} s ago`), make("span", "", "now"));
  const [body, past] = [make("div", "fer-now"), make("div", "fer-past")];
  past.append(timeline, axis);
  body.append(list, past);
  card.append(title, body);
  cards.append(card);
  return { card, who, verdict, rows, timeline, history: [], seen: now, drawn: 0 };
}

function fillCard({ verdict, rows }, face) {
  verdict.textContent = face.caption;
  for (const [label, prob] of Object.entries(face.probs)) {
    rows[label].fill.style.width = `${(100 * prob).toFixed(1)}%`;
    rows[label].number.textContent = percent(prob);
  }
}

// Stacked areas: each moment's probabilities fill the height, in the order of the bars.
function drawTimeline({ timeline, history }, now) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [timeline.clientWidth * ratio, timeline.clientHeight * ratio];
  if (!width) return;
  if (timeline.width !== Math.round(width)) timeline.width = Math.round(width);
  if (timeline.height !== Math.round(height)) timeline.height = Math.round(height);
  const pen = timeline.getContext("2d");
  pen.clearRect(0, 0, timeline.width, timeline.height);
  const x = (time) => timeline.width * (1 - (now - time) / HISTORY);
  for (const stretch of stretches(history)) {
    const floor = new Array(stretch.length).fill(timeline.height);
    for (const label of Object.keys(stretch[0].probs)) {
      pen.beginPath();
      stretch.forEach((point, i) => pen.lineTo(x(point.time), floor[i]));
      for (let i = stretch.length - 1; i >= 0; i--) {
        floor[i] -= stretch[i].probs[label] * timeline.height;
        pen.lineTo(x(stretch[i].time), floor[i]);
      }
      pen.fillStyle = colors[label] ?? "rgb(255, 255, 255)";
      pen.fill();
    }
  }
}

function stretches(history) {
  const found = [];
  history.forEach((point, i) => {
    if (!i || point.time - history[i - 1].time > GAP) found.push([]);
    found.at(-1).push(point);
  });
  return found;
}

function count(taken) {
  const now = performance.now();
  shown.push([now, now - taken]);
  latency += (now - taken - latency) / 4;
  shown = shown.filter(([time]) => now - time <= WINDOW);
  root.dataset.frames = Number(root.dataset.frames) + 1;
  if (shown.length < 2) return;
  const fps = (1000 * (shown.length - 1)) / (now - shown[0][0]);
  const latencies = shown.map(([, waited]) => waited).sort((a, b) => a - b);
  const median = latencies[Math.floor(latencies.length / 2)];
  find(".fer-rate").textContent = `${fps.toFixed(0)} fps · ${median.toFixed(0)} ms`;
}

find(".fer-choice").addEventListener("change", (event) => {
  const texts = { gradcam: "What spoke for it", spatial_attention: "Where the network looks" };
  find(".fer-caption").textContent = texts[event.target.value];
});
find('[data-do="start"]').addEventListener("click", start);
find('[data-do="stop"]').addEventListener("click", stop);
cameras.addEventListener("change", start);
document.addEventListener("fer-weights", (event) => {
  colors = event.detail.colors;
  forget(); // other labels
});
