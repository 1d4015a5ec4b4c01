// The webcam tab: a frame goes to reader.frame; the answer has the faces, what each resembles, and
// the explanation that was asked for. One question a frame; pace.mjs says when the next one goes.
// The explanation is laid over the picture, or over a copy of it beside it.

import { closeCamera, drawCamera, openCamera, refusal } from "./camera.mjs";
import { fillSelect, pause, say, write } from "./dom.mjs";
import { drawFaces, paintHeat, shownSize } from "./faces.mjs";
import { Pace } from "./pace.mjs";
import { People } from "./people.mjs";
import { asker, onWeights } from "./session.mjs";
import { Steady, inWords as told } from "./steady.mjs";
import { startVoice } from "./voice.mjs";

const LONGEST = 640; // pixels of a frame's longer side
const LOOK = 200; // ms between two looks whether the tab is still seen
const FRAME = 33; // ms of a frame, where the browser does not say when there is one

const speed = (rate) =>
  rate ? `${rate.fps.toFixed(0)} fps · ${rate.latency.toFixed(0)} ms` : "";

export function start({ element, props, reader }) {
  const find = (selector) => element.querySelector(selector);
  const root = find(".fer-webcam");
  const video = find(".fer-source");
  const plain = find(".fer-plain");
  const explained = find(".fer-explained");
  const overlay = find(".fer-overlay");
  const cameras = find('[data-pick="camera"]');
  const overTime = find('[data-pick="smoothing"]');
  const why = find('[data-do="why"]');
  const beside = find('[data-do="beside"]');
  const voice = startVoice({
    part: find(".fer-voice"), reader, missing: props.missing?.microphone,
  });
  let colors = props.colors;
  let people = new People(find(".fer-cards"), colors);
  let pace = new Pace();
  let steady = new Steady();
  let stream = null;
  let memory = null; // what the reader wants to remember of the faces, from one frame to the next
  let last = null; // seconds; when the frame was taken that memory comes from
  let fresh = false; // the camera has shown a frame since the last one was sent
  let label = null; // the expression that is explained; null: of each face the one it resembles
  const spare = []; // canvases of frames that are answered

  function setState(state) {
    root.dataset.state = state;
    find('[data-do="start"]').disabled = state === "starting";
  }

  async function open() {
    stop();
    setState("starting");
    say(element, "Waiting for the camera…");
    const chosen = cameras.value ? { deviceId: { exact: cameras.value } } : { facingMode: "user" };
    try {
      stream = await openCamera(video, chosen);
    } catch (error) {
      stop();
      say(element, refusal(error), true);
      return;
    }
    stream.getVideoTracks()[0].addEventListener("ended", () => {
      stop();
      say(element, "The camera was disconnected.", true);
    });
    say(element, "");
    setState("live");
    find('[data-do="stop"]').focus();
    const source = stream;
    await listCameras();
    watchFrames(source);
    watchTab(source);
  }

  function stop() {
    closeCamera(video, stream);
    voice.stop();
    stream = null;
    forget();
    for (const name of [".fer-rate", ".fer-hint", ".fer-heard"]) find(name).textContent = "";
    overlay.replaceChildren();
    for (const canvas of [plain, explained]) {
      canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    }
    say(element, "");
    setState("idle");
  }

  function forget() {
    [memory, last] = [null, null];
    people = new People(find(".fer-cards"), colors);
    steady = new Steady();
    pick(null);
  }

  async function listCameras() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    const inputs = devices.filter((device) => device.kind === "videoinput");
    const used = stream?.getVideoTracks()[0].getSettings().deviceId;
    const option = ({ label: name, deviceId: id }, i) =>
      new Option(name || `Camera ${i + 1}`, id, false, id === used);
    cameras.replaceChildren(...inputs.map(option));
    cameras.parentElement.hidden = inputs.length < 2;
  }

  // A frame is sent when the camera has shown a new one and an answer has come, whichever is later.
  function watchFrames(source) {
    const whenShown = (heard) =>
      video.requestVideoFrameCallback?.(heard) ?? setTimeout(heard, FRAME);
    const note = () => {
      if (stream !== source) return;
      fresh = true;
      send(source);
      whenShown(note);
    };
    pace = new Pace();
    whenShown(note);
  }

  async function watchTab(source) {
    while (stream === source) {
      if (element.offsetParent === null) return stop(); // the visitor went to another tab
      await pause(LOOK);
    }
  }

  function send(source) {
    if (!fresh || document.hidden || !pace.mayAsk(performance.now())) return;
    fresh = false;
    const asked = pace; // a camera that is started again has another
    asked.asked();
    step(source)
      .catch(() => {
        if (stream !== source) return;
        say(element, reader.unanswered(), true);
        asked.wait(performance.now(), 1000);
      })
      .finally(() => {
        asked.ended();
        if (stream === source) send(source);
      });
  }

  async function step(source) {
    const frame = spare.pop() ?? document.createElement("canvas");
    try {
      await readFrame(source, frame);
    } finally {
      spare.push(frame);
    }
  }

  async function readFrame(source, frame) {
    const taken = performance.now();
    drawCamera(video, stream, frame, LONGEST);
    const asked = { ...asker(), map: pickedMap(), label: label ?? "top" };
    const smoothing = overTime.value; // with another one a face starts anew
    const known = { memory, last, heard: voice.ticket() };
    const question = { ...asked, smoothing, time: taken / 1000, ...known };
    const answer = await reader.frame(question, frame);
    if (answer.stale) return;
    const faces = answer.faces ?? [];
    if (stream !== source || asked.weights !== asker().weights || !pace.replaces(taken)) return;
    say(element, answer.failed ? answer.message : "", answer.failed);
    if (answer.failed) return pace.wait(performance.now(), 500);
    [memory, last] = [answer.memory, taken / 1000];
    const size = shownSize(overlay); // before anything is written: the browser would lay out twice
    people.show(faces, taken / 1000, asked.label === "top" ? null : asked.label);
    const numbered = faces.map((face) => ({ ...face, number: people.numberOf(face.track) }));
    draw(frame, numbered, size);
    voice.tell(answer.together);
    pace.shown(taken, performance.now());
    tell(numbered, answer.message, taken / 1000);
    root.dataset.frames = Number(root.dataset.frames) + 1;
  }

  // In writing at once, to a screen reader once it stays.
  function tell(faces, hint, now) {
    write(find(".fer-rate"), speed(pace.rate()));
    write(find(".fer-hint"), hint);
    const news = steady.next(`${told(faces)} ${hint}`.trim(), now);
    if (news !== null) find(".fer-heard").textContent = news;
  }

  function draw(frame, faces, size) {
    for (const canvas of beside.checked ? [plain, explained] : [plain]) {
      if (canvas.width !== frame.width) canvas.width = frame.width;
      if (canvas.height !== frame.height) canvas.height = frame.height;
      canvas.getContext("2d").drawImage(frame, 0, 0);
    }
    drawFaces(overlay, faces, [frame.width, frame.height], size);
    const opacity = find('[data-do="opacity"]').value / 100;
    const heated = beside.checked ? explained : plain;
    for (const { layer, transform } of faces) {
      if (layer) paintHeat(heated.getContext("2d"), layer, transform, opacity);
    }
  }

  const shows = () => why.getAttribute("aria-pressed") === "true";
  const chosenMap = () => find('[name="fer-map"]:checked').value;
  const pickedMap = () => (shows() ? chosenMap() : "none");

  // Attention that says something of a face stands where it is seen; other attention below "More".
  function placeMaps(speaks) {
    find(".fer-little").hidden = speaks;
    find(speaks ? ".fer-controls" : ".fer-options").append(find(".fer-choice"));
    if (!speaks) find(".fer-options").append(find(".fer-little"));
  }

  function toggleWhy() {
    why.setAttribute("aria-pressed", !shows());
    pick(label);
  }

  // What is explained from the next frame on.
  function pick(wanted) {
    label = wanted;
    explained.hidden = !(shows() && beside.checked);
    const words = { none: "", spatial_attention: "Where the network looks" };
    find(".fer-caption").textContent = words[pickedMap()] ?? `Evidence for ${label ?? "it"}`;
  }

  find(".fer-choice").addEventListener("change", () => pick(label));
  beside.addEventListener("change", () => pick(label));
  why.addEventListener("click", toggleWhy);
  find(".fer-cards").addEventListener("click", (event) => {
    const opened = event.target.closest(".fer-pick");
    if (opened) people.open(Number(opened.dataset.track));
    const bar = event.target.closest(".fer-bar");
    if (!bar) return;
    why.setAttribute("aria-pressed", true);
    pick(bar.dataset.emotion === label ? null : bar.dataset.emotion);
  });
  find('[data-do="start"]').addEventListener("click", open);
  find('[data-do="stop"]').addEventListener("click", () => {
    stop();
    find('[data-do="start"]').focus();
  });
  cameras.addEventListener("change", open);
  onWeights((answer) => {
    colors = answer.colors;
    fillSelect(overTime, answer.smoothing);
    placeMaps(answer.attention);
    forget(); // other labels
  });
  fillSelect(overTime, props.smoothing);
  placeMaps(props.attention);
  pick(null);
}
