// What the parts of the page share. Set before each part's own script.
const find = (selector) => element.querySelector(selector);
const findAll = (selector) => [...element.querySelectorAll(selector)];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// A name for this page, so that the server can share its time fairly; it says nothing about anyone.
window.ferVisitor ??= [...crypto.getRandomValues(new Uint32Array(4))].join("-");
const asker = () => ({ visitor: window.ferVisitor, weights: window.ferWeights ?? "" });

function say(text, isError = false) {
  const message = find(".fer-message");
  if (message.textContent !== text) message.textContent = text;
  message.classList.toggle("fer-error", isError);
}

function percent(prob) {
  if (prob < 0.01) return "< 1 %";
  return prob >= 0.995 ? "> 99 %" : `${Math.round(100 * prob)} %`;
}

function make(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function download(blob, name) {
  const link = make("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function picture(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

// Why a question to the server came to nothing. gradio gives no reason, so the likely ones are said.
const UNANSWERED = "The server does not answer, or is too busy. Try again in a moment.";

const CAMERA_REFUSALS = {
  NotAllowedError:
    "The browser may not use the camera. Allow it with the camera or lock symbol beside the address, then start again.",
  NotFoundError: "No camera was found. Connect one, or choose a photo.",
  NotReadableError: "The camera is in use by another program. Close that program, then start again.",
  OverconstrainedError: "This camera cannot be used. Choose another one.",
};

async function openCamera(video, chosen) {
  if (!navigator.mediaDevices) throw new Error("browsers give it only to pages on https or localhost");
  const size = { width: { ideal: 640 }, height: { ideal: 480 } };
  const stream = await navigator.mediaDevices.getUserMedia({ video: { ...size, ...chosen }, audio: false });
  video.srcObject = stream;
  await video.play();
  return stream;
}

function closeCamera(video, stream) {
  if (stream) stream.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
}

const refusal = (error) => CAMERA_REFUSALS[error.name] ?? `The camera cannot be used: ${error.message}.`;

// A camera that faces its user is shown as a mirror.
function drawCamera(video, stream, canvas, longest) {
  const scale = Math.min(1, longest / Math.max(video.videoWidth, video.videoHeight));
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  const pen = canvas.getContext("2d");
  if (stream.getVideoTracks()[0].getSettings().facingMode !== "environment") {
    pen.setTransform(-1, 0, 0, 1, canvas.width, 0);
  }
  pen.drawImage(video, 0, 0, canvas.width, canvas.height);
}
