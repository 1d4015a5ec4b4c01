// The camera: opened, closed, drawn, and what is said when it cannot be had.

const REFUSALS = {
  NotAllowedError:
    "The browser may not use the camera. Allow it with the camera or lock symbol beside the " +
    "address, then start again.",
  NotFoundError: "No camera was found. Connect one, or choose a photo.",
  NotReadableError:
    "The camera is in use by another program. Close that program, then start again.",
  OverconstrainedError: "This camera cannot be used. Choose another one.",
};

export const refusal = (error) =>
  REFUSALS[error.name] ?? `The camera cannot be used: ${error.message}.`;

// chosen: constraints that say which camera. Plays it in the video element; gives its stream.
export async function openCamera(video, chosen) {
  if (!navigator.mediaDevices) {
    throw new Error("browsers give it only to pages on https or localhost");
  }
  const size = { width: { ideal: 640 }, height: { ideal: 480 } };
  const constraints = { video: { ...size, ...chosen }, audio: false };
  const stream = await navigator.mediaDevices.getUserMedia(constraints);
  video.srcObject = stream;
  await video.play();
  return stream;
}

export function closeCamera(video, stream) {
  if (stream) stream.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
}

// The camera's picture on a canvas of its shape, the longer side at most `longest` pixels. A camera
// that faces its user is shown as a mirror.
export function drawCamera(video, stream, canvas, longest) {
  const scale = Math.min(1, longest / Math.max(video.videoWidth, video.videoHeight));
  const size = [video.videoWidth, video.videoHeight].map((side) => Math.round(side * scale));
  // Setting a size takes new memory, even if it is the same.
  if (canvas.width !== size[0]) canvas.width = size[0];
  if (canvas.height !== size[1]) canvas.height = size[1];
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.resetTransform();
  if (stream.getVideoTracks()[0].getSettings().facingMode !== "environment") {
    pen.setTransform(-1, 0, 0, 1, canvas.width, 0);
  }
  pen.drawImage(video, 0, 0, canvas.width, canvas.height);
}
