// What a screen reader is told of a live picture: an answer that changes from frame to frame is
// told once it stays.

const HOLD = 1.5; // seconds that a text must stay

export class Steady {
  #text = "";
  #since = 0;
  #told = "";

  // The text if it is to be told now, else null. now: seconds.
  next(text, now) {
    if (text !== this.#text) [this.#text, this.#since] = [text, now];
    if (text === this.#told || now - this.#since < HOLD) return null;
    this.#told = text;
    return text;
  }
}

// faces: label, uncertain, no_face, and a number where there are several.
export function inWords(faces) {
  const told = ({ number, ...face }) => `${number ? `Face ${number}: ` : ""}${said(face)}.`;
  return faces.map(told).join(" ");
}

const said = ({ label, uncertain, no_face: noFace }) =>
  noFace ? "no face" : uncertain ? `perhaps ${label}` : label;
