// The microphone: opened when it is asked for, apart from the camera, and closed with it. Nothing
// is recorded: half seconds of samples are handed on as they come.

import { Resampler } from "./resampler.mjs";

export const RATE = 16000; // samples a second that the network for voices reads
const PIECE = RATE / 2; // samples that are handed on at once

const REFUSALS = {
  NotAllowedError:
    "The browser may not use the microphone, so the face is read alone. To change that, allow it " +
    "with the microphone or lock symbol beside the address.",
  NotFoundError: "No microphone was found. The face is read alone.",
  NotReadableError: "The microphone is in use by another program. The face is read alone.",
};

export const refusal = (error) =>
  REFUSALS[error.name] ?? `The microphone cannot be used: ${error.message}.`;

// heard: called with each half second of samples at RATE. Gives what closes it.
export async function openMicrophone(heard, ended) {
  if (!navigator.mediaDevices) {
    throw new Error("browsers give it only to pages on https or localhost");
  }
  // As it is: what a browser does for calls changes how a voice sounds.
  const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getUserMedia({ audio: plain, video: false });
  const context = new AudioContext();
  const close = () => {
    stream.getTracks().forEach((track) => track.stop());
    if (context.state !== "closed") context.close();
  };
  try {
    await context.audioWorklet.addModule(new URL("samples_worklet.mjs", import.meta.url));
    const node = new AudioWorkletNode(context, "samples", { numberOfOutputs: 0 });
    const pieces = new Pieces(context.sampleRate, heard);
    node.port.onmessage = ({ data }) => pieces.add(data);
    context.createMediaStreamSource(stream).connect(node);
    stream.getAudioTracks()[0].addEventListener("ended", ended);
    await context.resume();
  } catch (error) {
    close();
    throw error;
  }
  return close;
}

// Blocks of samples of any rate to pieces of half a second at RATE.
export class Pieces {
  #made = new Float32Array(PIECE);
  #count = 0;

  constructor(rate, heard) {
    this.resampler = new Resampler(rate, RATE);
    this.heard = heard;
  }

  add(block) {
    for (const sample of this.resampler.push(block)) {
      this.#made[this.#count] = sample;
      this.#count += 1;
      if (this.#count < PIECE) continue;
      this.heard(this.#made.slice());
      this.#count = 0;
    }
  }
}
