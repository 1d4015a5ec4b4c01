// When a face begins to show an expression, shows it most, and no longer shows it:
// fer_cbam/video/episodes.py, which says why. Times are seconds.

const THRESHOLD = 0.5;
const SHORTEST = 0.15; // seconds; what is shorter is no expression but a wrong frame or two
const LONGEST_DIP = 0.25; // seconds below the threshold that do not end an expression
const MOST = 200; // episodes of a face; of more, the longest stay

const length = ({ onset, offset }) => offset - onset;
const isShort = (episode) => length(episode) < SHORTEST;

// The episodes {label, onset, apex, offset, intensity} of one face, frame by frame.
export class EpisodeFinder {
  #closed = [];
  #open = null;
  #last = null; // [time, probs]

  // The next frame. probs: by label, smoothed.
  add(time, probs) {
    if (this.#open && probs[this.#open.label] < THRESHOLD) {
      this.#close({ ...this.#open, offset: this.#crossing(this.#open.label, time, probs) });
      this.#open = null;
    }
    if (!this.#open) this.#open = this.#opened(time, probs);
    if (this.#open) this.#goOn(time, probs[this.#open.label]);
    this.#last = [time, probs];
  }

  // All so far, in order; one that lasts ends with the last frame.
  episodes() {
    const found = [...this.#closed];
    if (this.#open) append(found, this.#open);
    return found.filter((episode) => !isShort(episode));
  }

  #opened(time, probs) {
    const [label, most] = Object.entries(probs).reduce((a, b) => (b[1] > a[1] ? b : a));
    if (most < THRESHOLD) return null;
    const onset = this.#crossing(label, time, probs);
    return { label, onset, apex: time, offset: time, intensity: most };
  }

  #goOn(time, prob) {
    const shown = { ...this.#open, offset: time };
    this.#open = prob > shown.intensity ? { ...shown, apex: time, intensity: prob } : shown;
  }

  #close(episode) {
    append(this.#closed, episode);
    if (this.#closed.length <= MOST) return;
    // The last one may still be joined with the next.
    const shortest = this.#closed.slice(0, -1).reduce((a, b) => (length(b) < length(a) ? b : a));
    this.#closed.splice(this.#closed.indexOf(shortest), 1);
  }

  // When the probability crossed the threshold on its way from the last frame to this one.
  #crossing(label, time, probs) {
    if (!this.#last) return time;
    const [before, old] = this.#last;
    const change = probs[label] - old[label];
    if (change === 0) return time;
    const share = Math.min(1, Math.max(0, (THRESHOLD - old[label]) / change));
    return before + share * (time - before);
  }
}

// Add one, joined with the last of its label where only a dip lies between.
function append(episodes, episode) {
  const differs = (last) => last && last.label !== episode.label && isShort(last);
  while (differs(episodes.at(-1))) episodes.pop();
  const last = episodes.at(-1);
  if (last?.label === episode.label && episode.onset - last.offset <= LONGEST_DIP) {
    const higher = episode.intensity > last.intensity ? episode : last;
    episodes[episodes.length - 1] = { ...higher, onset: last.onset, offset: episode.offset };
  } else {
    episodes.push(episode);
  }
}

// The one that a face is in the middle of at a moment, if any.
export function episodeAt(episodes, time) {
  const half = 0.0005; // of the last digit that times are written with
  return episodes.find(({ onset, offset }) => onset - half <= time && time <= offset + half);
}
