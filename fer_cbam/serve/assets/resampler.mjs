// Samples at one rate to another, a piece at a time, by a windowed sinc: Smith, "Digital Audio
// Resampling Home Page", ccrma.stanford.edu/~jos/resample/.

const CROSSINGS = 16; // zeros of the sinc on either side

export class Resampler {
  #step; // of the source, from one sample of the target to the next
  #cut; // what is let through, as a share of the source's band
  #reach; // samples of the source on either side
  #kept = new Float32Array(0); // of the source, whose first is number #first
  #first = 0;
  #next = 0; // place in the source of the next sample of the target

  constructor(from, to) {
    this.#step = from / to;
    this.#cut = Math.min(1, to / from);
    this.#reach = CROSSINGS / this.#cut;
  }

  // The samples of the target that are known once these of the source are.
  push(samples) {
    const all = new Float32Array(this.#kept.length + samples.length);
    all.set(this.#kept);
    all.set(samples, this.#kept.length);
    const end = this.#first + all.length;
    const made = [];
    while (this.#next + this.#reach < end) {
      made.push(this.#at(all, this.#next));
      this.#next += this.#step;
    }
    const needed = Math.max(this.#first, Math.floor(this.#next - this.#reach));
    this.#kept = all.slice(needed - this.#first);
    this.#first = needed;
    return Float32Array.from(made);
  }

  // Before the first sample lies silence.
  #at(all, place) {
    const from = Math.max(this.#first, Math.ceil(place - this.#reach));
    const to = Math.floor(place + this.#reach);
    let sum = 0;
    for (let n = from; n <= to; n += 1) {
      sum += all[n - this.#first] * this.#kernel(n - place);
    }
    return sum;
  }

  #kernel(distance) {
    const x = Math.PI * distance * this.#cut;
    const sinc = Math.abs(x) < 1e-9 ? 1 : Math.sin(x) / x;
    return this.#cut * sinc * 0.5 * (1 + Math.cos((Math.PI * distance) / this.#reach));
  }
}

// Samples in [-1, 1] as 16-bit integers, the lower byte first, in base64.
export function inBase64(samples) {
  const bytes = new Uint8Array(2 * samples.length);
  const view = new DataView(bytes.buffer);
  samples.forEach((value, n) => {
    const whole = Math.round(32767 * Math.max(-1, Math.min(1, value)));
    view.setInt16(2 * n, whole, true);
  });
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
