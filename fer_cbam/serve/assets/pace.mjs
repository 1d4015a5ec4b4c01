// When the next live frame is sent, and how fast frames come back. All times in ms.

const WINDOW = 2000; // over which the frame rate is counted
const QUICK = 120; // latency up to which two frames are on their way at once

// Frames are dropped, never queued: the next one goes when the answer is on the screen. Where
// answers come quickly two are on their way, so that page and server work side by side.
export class Pace {
  #shown = []; // [time, latency] of the frames within WINDOW
  #asking = 0; // frames on their way
  #latency = 0; // of late
  #next = 0; // when the next frame may be sent, after a failure
  #newest = 0; // when the frame on the screen was taken

  mayAsk(now) {
    return this.#asking < (this.#latency < QUICK ? 2 : 1) && now >= this.#next;
  }

  asked() {
    this.#asking += 1;
  }

  // An answer has come, or none will.
  ended() {
    this.#asking -= 1;
  }

  wait(now, ms) {
    this.#next = now + ms;
  }

  // Whether the frame that was taken then is newer than the one on the screen, which it replaces.
  replaces(taken) {
    if (taken < this.#newest) return false;
    this.#newest = taken;
    return true;
  }

  shown(taken, now) {
    this.#latency += (now - taken - this.#latency) / 4;
    this.#shown.push([now, now - taken]);
    this.#shown = this.#shown.filter(([time]) => now - time <= WINDOW);
  }

  // Frames a second and the median latency; null before there are two.
  rate() {
    const [first, last] = [this.#shown[0], this.#shown.at(-1)];
    if (this.#shown.length < 2 || last[0] === first[0]) return null;
    const latencies = this.#shown.map(([, latency]) => latency).sort((a, b) => a - b);
    const fps = (1000 * (this.#shown.length - 1)) / (last[0] - first[0]);
    return { fps, latency: latencies[Math.floor(latencies.length / 2)] };
  }
}
