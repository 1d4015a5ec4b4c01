// One frame of a camera or a clip after another: who is in it, and what each resembles, smoothed
// over time. As answer_frame() in fer_cbam/serve/answers.py.

import { smootherOf } from "./smoothing.mjs";
import { FORGET_AFTER, emptyMemory, follow } from "./tracks.mjs";

export const LIVE_SIDE = 320; // pixels that a frame is searched at: one quick search
const MISSED_FRAMES = 2.5; // that a face may be missed for, however slowly they come
const MAX_FACES = 12;

export class Live {
  #memory = emptyMemory();
  #last = null; // seconds

  // smoothing: name of a smoother; by default the recogniser's own.
  constructor(recognizer, smoothing = null) {
    this.recognizer = recognizer;
    this.smoothing = smoothing;
    this.smoother = smootherOf(recognizer, smoothing);
  }

  // image: {data, width, height}, RGBA. seconds: when the frame was taken, on any even clock. Gives
  // the recognitions, the largest first, with `track` (a number that stays, from 1).
  read(image, seconds, { maxSide = LIVE_SIDE, most = MAX_FACES } = {}) {
    const { recognitions } = this.recognizer.read(image, { maxSide, most });
    // Where frames come seldom, a face that is missing for one of them has not left.
    const forgetAfter = Math.max(FORGET_AFTER, MISSED_FRAMES * (seconds - (this.#last ?? seconds)));
    const { decision } = this.recognizer;
    const options = { forgetAfter, smoother: this.smoother };
    const { tracked, memory } = follow(this.#memory, recognitions, seconds, decision, options);
    [this.#memory, this.#last] = [memory, seconds];
    return tracked;
  }

  // Start anew.
  forget() {
    [this.#memory, this.#last] = [emptyMemory(), null];
  }
}
