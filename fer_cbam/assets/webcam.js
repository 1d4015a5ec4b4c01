// The webcam tab: one frame at a time goes to server.frame; the next is taken when the
// answer is on the screen. So frames are dropped, never queued, and a visitor who asks for more
// waits in line with the others.
const root = element.querySelector(".fer-webcam");
const find = (selector) => root.querySelector(selector);
const video = find(".fer-source");
const plain = find(".fer-plain");
const explained = find(".fer-explained");
const cameras = find('[data-pick="camera"]');
const shot = document.createElement("canvas");
const LONGEST = 640; // pixels of a frame's longer side
const WINDOW = 2000; // ms over which the frame rate is counted

let stream = null;
let memory = []; // what the server wants to remember of the faces, from one frame to the next
let shown = []; // [time, latency] of the frames of the last two seconds
let fresh = false; // a frame has come since the last one was taken

const REFUSALS = {
  NotAllowedError:
    "The browser may not use the camera. Allow it with the camera or lock symbol beside the address, then start again.",
  NotFoundError: "No camera was found. Connect one, or try the Photo tab.",
  NotReadableError: "The camera is in use by another program. Close that program, then start again.",
  OverconstrainedError: "This camera cannot be used. Choose another one.",
};

function say(text, isError = false) {
  const message = find(".fer-message");
  if (message.textContent !== text) message.textContent = text;
  message.classList.toggle("fer-error", isError);
}

function setState(state) {
  root.dataset.state = state;
  find('[data-do="start"]').disabled = state === "starting";
}

async function start() {
  stop();
  setState("starting");
  say("Waiting for the camera…");
  if (!navigator.mediaDevices) {
    setState("idle");
    say("Browsers give the camera only to pages on https or localhost.", true);
    return;
  }
  const chosen = cameras.value ? { deviceId: { exact: cameras.value } } : { facingMode: "user" };
  const size = { width: { ideal: 640 }, height: { ideal: 480 } };
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { ...size, ...chosen }, audio: false });
    video.srcObject = stream;
    await video.play();
  } catch (error) {
    stop();
    say(REFUSALS[error.name] ?? `The camera cannot be used: ${error.message}`, true);
    return;
  }
  stream.getVideoTracks()[0].addEventListener("ended", () => {
    stop();
    say("The camera was disconnected.", true);
  });
  say("");
  setState("live");
  await listCameras();
  watchFrames(stream);
  run(stream);
}

function stop() {
  if (stream) stream.getTracks().forEach((track) => track.stop());
  stream = null;
  video.srcObject = null;
  memory = [];
  shown = [];
  find(".fer-rate").textContent = "";
  find(".fer-cards").replaceChildren();
  for (const canvas of [plain, explained]) {
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
  }
  say("");
  setState("idle");
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
  while (stream === source) {
    if (element.offsetParent === null) return stop(); // the visitor went to another tab
    if (document.hidden || (video.requestVideoFrameCallback && !fresh)) {
      await pause(document.hidden ? 200 : 4);
      continue;
    }
    fresh = false;
    try {
      await step(source);
    } catch (error) {
      if (stream !== source) return;
      say("The server does not answer. Trying again…", true);
      await pause(1000);
    }
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function step(source) {
  const taken = performance.now();
  const answer = await server.frame({
    image: take(),
    time: taken / 1000,
    memory,
    map: find('[name="fer-map"]:checked').value,
  });
  if (stream !== source) return;
  say(answer.message, answer.failed);
  if (answer.failed) return pause(500);
  memory = answer.memory;
  await Promise.all([draw(plain, answer.plain), draw(explained, answer.explained)]);
  find(".fer-cards").innerHTML = answer.faces;
  count(taken);
}

function take() {
  const scale = Math.min(1, LONGEST / Math.max(video.videoWidth, video.videoHeight));
  shot.width = Math.round(video.videoWidth * scale);
  shot.height = Math.round(video.videoHeight * scale);
  const context = shot.getContext("2d");
  // A camera that faces its user is shown as a mirror.
  if (stream.getVideoTracks()[0].getSettings().facingMode !== "environment") {
    context.setTransform(-1, 0, 0, 1, shot.width, 0);
  }
  context.drawImage(video, 0, 0, shot.width, shot.height);
  return shot.toDataURL("image/jpeg", 0.85);
}

async function draw(canvas, url) {
  const picture = new Image();
  picture.src = url;
  await picture.decode();
  if (canvas.width !== picture.width) canvas.width = picture.width;
  if (canvas.height !== picture.height) canvas.height = picture.height;
  canvas.getContext("2d").drawImage(picture, 0, 0);
}

function count(taken) {
  const now = performance.now();
  shown.push([now, now - taken]);
  shown = shown.filter(([time]) => now - time <= WINDOW);
  root.dataset.frames = Number(root.dataset.frames) + 1;
  if (shown.length < 2) return;
  const fps = (1000 * (shown.length - 1)) / (now - shown[0][0]);
  const latencies = shown.map(([, latency]) => latency).sort((a, b) => a - b);
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
