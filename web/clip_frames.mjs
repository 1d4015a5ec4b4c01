// Frames of a clip, decoded by the browser: a video element goes from one to the next.

import { make, pause } from "./dom.mjs";
import { sized } from "./photo_pixels.mjs";

const RATE = 12; // frames a second that are searched, as on the server
const MOST_SECONDS = 600;
const LONGEST = 1280; // pixels of a frame's longer side
const PATIENCE = 10_000; // ms until a frame must be there
const FAR = 1e7; // seconds; where a clip of unknown length is taken to, to find its end

const ENDS = `Only the first ${MOST_SECONDS} seconds were read.`;
const DAMAGED =
  "It is damaged, sound alone, or coded in a way that this browser does not play; expected a " +
  "clip such as H.264 in MP4, or WebM.";

// Yields {number, time, end, picture}: seconds, and a canvas that is drawn anew for each frame; and
// {note} where something was left out. wanted(): whether to go on.
export async function* clipFrames(file, wanted) {
  const video = make("video");
  Object.assign(video, { muted: true, playsInline: true, preload: "auto" });
  const address = URL.createObjectURL(file);
  try {
    await once(video, "loadeddata", () => (video.src = address));
    const end = await lengthOf(video);
    const canvas = make("canvas");
    for (let number = 0; wanted(); number += 1) {
      const time = number / RATE;
      if (time > MOST_SECONDS) yield { note: ENDS };
      if (time > MOST_SECONDS || (number && time >= end)) return;
      await seek(video, Math.min(time, Math.max(0, end - 0.001)));
      draw(video, canvas);
      yield { number, time, end: Math.min(end, MOST_SECONDS), picture: canvas };
    }
  } finally {
    video.removeAttribute("src");
    video.load();
    URL.revokeObjectURL(address);
  }
}

// A clip that a browser has recorded does not say how long it is before it was at its end.
async function lengthOf(video) {
  if (Number.isFinite(video.duration)) return video.duration;
  await seek(video, FAR);
  return Number.isFinite(video.duration) ? video.duration : video.currentTime;
}

async function seek(video, time) {
  if (Math.abs(video.currentTime - time) < 1e-4) return;
  await once(video, "seeked", () => (video.currentTime = time));
}

function draw(video, canvas) {
  const { videoWidth: width, videoHeight: height } = video;
  if (!width) throw new Error(DAMAGED);
  const scale = Math.min(1, LONGEST / Math.max(width, height));
  sized(canvas, Math.round(width * scale), Math.round(height * scale));
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(video, 0, 0, canvas.width, canvas.height);
}

// Until the event comes after what `begin` began. Throws where the clip cannot be played.
async function once(video, event, begin) {
  const ended = new AbortController();
  const heard = (name) =>
    new Promise((resolve) => {
      video.addEventListener(name, resolve, { once: true, signal: ended.signal });
    });
  const came = heard(event).then(() => true);
  const failed = heard("error").then(() => false);
  begin();
  const there = await Promise.race([came, failed, pause(PATIENCE).then(() => false)]);
  ended.abort();
  if (!there) throw new Error(DAMAGED);
}
