// The page's questions answered: pure functions of a recogniser and a picture. Answers are those of
// fer_cbam/serve/answers.py, but for pictures: heat is RGBA bytes here.

import { cautions } from "./cautions.mjs";
import { Looks } from "./looks.mjs";
import { Words } from "./words.mjs";

export const MAX_FACES = 12; // explained in one picture; of a crowd the largest
const PLACES = 4; // decimals of a probability in numbers

const rounded = (value, digits) => Number(value.toFixed(digits));
const roundedProbs = (probs, digits = 6) =>
  Object.fromEntries(Object.entries(probs).map(([label, p]) => [label, rounded(p, digits)]));

export class Answers {
  constructor(settings) {
    this.words = new Words(settings);
    this.looks = new Looks(settings);
    this.mapTitles = settings.maps;
  }

  // A live frame. faces: of Live, with tracks. map: "gradcam", "spatial_attention" or "none".
  // label: what is explained; "top": of each face what it resembles.
  frame(recognizer, image, faces, { map, label }) {
    const kinds = faces.map((face) => cautions(image, face));
    const uncertain = Boolean(faces[0]?.uncertain);
    return {
      failed: false,
      message: this.words.liveMessage(faces.length, kinds[0] ?? [], uncertain),
      faces: faces.map((face) => ({
        ...shown(face),
        ...this.tag(face),
        track: face.track,
        transform: face.transform,
        heat: this.#liveHeat(recognizer, face, map, label),
      })),
    };
  }

  // What stands at a face: caption, colours, a note.
  tag(face) {
    return { ...this.looks.tag(face), note: this.words.note(face) };
  }

  // What is drawn of a face over a clip, and no more: it is kept until the next clip is read.
  clipFace(face) {
    const { box, track, uncertain, no_face: noFace, transform, map_size: [from] } = face;
    const evidence = noFace ? null : { map: face.class_maps[face.label], from };
    const shownThere = { box, number: track, uncertain, no_face: noFace };
    return { ...this.looks.tag(face), ...shownThere, transform, evidence };
  }

  #liveHeat(recognizer, face, map, label) {
    if (map === "none" || face.no_face) return null; // what is no face is not explained
    if (map === "spatial_attention") return this.#heat(recognizer.attention(face));
    return this.#heat(recognizer.saliency(face, label === "top" ? face.label : label));
  }

  #heat(saliency) {
    return saliency && this.looks.heatPixels(saliency);
  }

  // A photo. found: all its faces. recognitions: of those that are explained.
  photo(recognizer, image, found, recognitions) {
    const explained = recognitions.map((face) => this.#explained(recognizer, image, face));
    const { width, height } = image;
    const numbers = {
      weights: recognizer.name,
      labels: recognizer.labels,
      image: { width, height },
      message: this.words.photoMessage(found.length, recognitions.length),
      faces_found: found.length,
      faces: explained.map((face) => face.numbers),
    };
    const faces = explained.map((face) => ({ ...face.numbers, ...face.drawn }));
    return { failed: false, message: numbers.message, faces, numbers };
  }

  #explained(recognizer, image, face) {
    const losses = recognizer.partLosses(face);
    const labels = recognizer.labels;
    const each = (value) => Object.fromEntries(labels.map((label) => [label, value(label)]));
    const sentences = each((label) => this.words.explanation(face, label, losses?.[label] ?? null));
    const maps = recognizer.explain(face);
    const regions = losses && each((label) => roundedProbs(losses[label].least, PLACES));
    const drawn = {
      ...this.tag(face),
      sentences,
      affine: face.affine,
      place: face.transform,
      map: this.mapTitles[maps[labels[0]].kind],
      layers: each((label) => this.#heat(maps[label])),
      gradcams: each((label) => this.#heat(recognizer.saliency(face, label))),
      attention: this.#heat(recognizer.attention(face)),
    };
    const numbers = {
      ...shown(face),
      sentence: sentences[face.label],
      cautions: this.words.cautions(cautions(image, face)),
      regions,
    };
    return { numbers, drawn };
  }
}

// Face and prediction as the server's JSON has them.
function shown({ box, score, landmarks, label, confidence, uncertain, no_face: noFace, probs }) {
  return {
    box: Array.from(box, (v) => rounded(v, 1)),
    score: rounded(score, 4),
    landmarks: landmarks.map((point) => Array.from(point, (v) => rounded(v, 1))),
    label,
    confidence: rounded(confidence, 6),
    uncertain,
    no_face: noFace,
    probs: roundedProbs(probs),
  };
}
