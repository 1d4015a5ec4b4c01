// How the parts of the page ask where the visitor's own device reads the pictures: their questions
// go to a worker of this page, and no farther. On the server's page `gradio.mjs` has the same
// functions.

import { clipFrames } from "./clip_frames.mjs";
import { jsonBlob, make } from "./dom.mjs";
import { Looks, closeUp } from "./looks.mjs";
import { pixelsOf, readPhoto, sized } from "./photo_pixels.mjs";
import { saliencyMap } from "./saliency.mjs";

const FACE_SIDE = 288; // pixels of a close-up
const CROP_SIDE = 48;
const FIGURE_QUALITY = 0.92; // of the JPEG that a close-up is kept as
const OPACITY = 0.65; // of heat over a clip
const MOMENT = 0.5; // seconds for which a frame's faces stay on the picture
const UNREADABLE = "The recogniser failed";

// Questions to the worker, each with its answer.
export class Desk {
  #waiting = new Map(); // number -> [resolve, reject]
  #count = 0;

  // worker: a promise of it.
  constructor(worker) {
    this.worker = worker.then((made) => this.#listenTo(made));
  }

  #listenTo(worker) {
    worker.addEventListener("message", ({ data: { number, answer, error } }) => {
      const [resolve, reject] = this.#waiting.get(number);
      this.#waiting.delete(number);
      if (error) reject(Object.assign(new Error(error.message), { name: error.name }));
      else resolve(answer);
    });
    worker.addEventListener("error", ({ message }) => {
      const waiting = [...this.#waiting.values()];
      this.#waiting.clear();
      for (const [, reject] of waiting) reject(new Error(message ?? "a script did not come"));
    });
    return worker;
  }

  // image: {data, ...} whose data is handed over, not copied.
  async ask(name, question, image = null) {
    const worker = await this.worker;
    this.#count += 1;
    const message = { number: this.#count, name, question: { ...question, image } };
    return new Promise((resolve, reject) => {
      this.#waiting.set(message.number, [resolve, reject]);
      worker.postMessage(message, image ? [image.data.buffer] : []);
    });
  }
}

const failed = (error) => ({ failed: true, message: `${UNREADABLE}: ${error.message}.` });

// settings: of settings.json. desk: of the worker, which has the settings.
export function deviceReader(settings, desk) {
  const shownOf = (weights) =>
    settings.weights.find((known) => known.weights === weights) ?? settings.weights[0];
  const nameOf = (question) => shownOf(question.weights).weights;

  async function photo(question, blob) {
    let picture;
    try {
      picture = await readPhoto(blob);
    } catch (error) {
      return { failed: true, message: `This file cannot be read as a photo. ${error.message}` };
    }
    try {
      const asked = { weights: nameOf(question) };
      const answer = await desk.ask("photo", asked, pixelsOf(picture));
      const faces = answer.faces.map((face) => withPictures(face, picture));
      const shown = { photo: URL.createObjectURL(blob), ...shownOf(question.weights) };
      return { ...answer, ...shown, faces };
    } catch (error) {
      return failed(error);
    }
  }

  async function readClip(question, file, on) {
    const { weights, colors } = shownOf(question.weights);
    const notes = [];
    const moments = new Moments(question.explained ? new Looks(settings) : null);
    await desk.ask("clipBegins", { weights, smoothing: question.smoothing });
    for await (const { number, time, end, picture, note } of clipFrames(file, on.wanted)) {
      if (note) notes.push(note);
      if (!picture) continue;
      on.reading();
      const { faces } = await desk.ask("clipFrame", { number, time }, pixelsOf(picture));
      moments.add(time, faces, [picture.width, picture.height]);
      on.progress(time / end, time);
    }
    const { numbers, table, message } = await desk.ask("clipEnds", { notes });
    const files = {
      table: [new Blob([table], { type: "text/csv" }), "fer-cbam.csv"],
      numbers: [jsonBlob(numbers), "fer-cbam.json"],
    };
    const shown = (time) => moments.at(time);
    return { failed: false, message, numbers, colors, played: file, files, shown };
  }

  return {
    unanswered: () => "The page failed over it. Reload it, and try again.",
    beginning: "Opening…",
    where: settings.server ? [["On the server", settings.server], ["On this device", ""]] : [],
    example: "astronaut.jpg",
    exampleClip: false, // a clip of the example would weigh as much as the rest of the page
    cardOf: (weights) => `weights/${encodeURIComponent(weights)}/card.txt`,

    async pick({ weights }) {
      try {
        await desk.ask("load", { weights });
      } catch (error) {
        return { failed: true, message: `These weights cannot be used. ${error.message}` };
      }
      return { failed: false, message: "", ...shownOf(weights) };
    },

    // picture: a canvas. Of the answer each face has a layer that can be drawn, or null.
    async frame({ memory, time, map, label, smoothing, ...question }, picture) {
      const fresh = memory === null;
      const asked = { weights: nameOf(question), time, map, label, smoothing, fresh };
      try {
        const answer = await desk.ask("frame", asked, pixelsOf(picture));
        for (const face of answer.faces) face.layer = face.heat && canvasOf(face.heat);
        return { ...answer, memory: true }; // it is with the worker
      } catch (error) {
        return failed(error);
      }
    },

    photo,
    examplePhoto: async (question) => photo(question, await (await fetch("astronaut.jpg")).blob()),

    async clip(question, file, on) {
      try {
        return await readClip(question, file, on);
      } catch (error) {
        return { failed: true, message: `This clip cannot be read. ${error.message}` };
      }
    },
  };
}

// RGBA bytes of a square as a canvas.
function canvasOf(pixels) {
  const side = Math.sqrt(pixels.length / 4);
  const canvas = sized(make("canvas"), side, side);
  canvas.getContext("2d").putImageData(new ImageData(pixels, side, side), 0, 0);
  return canvas;
}

const urlOf = (pixels) => pixels && canvasOf(pixels).toDataURL();
const urlsOf = (all) =>
  Object.fromEntries(Object.entries(all).map(([label, pixels]) => [label, urlOf(pixels)]));

// A face of a photo with its close-up and its layers as pictures.
function withPictures({ affine, ...face }, picture) {
  const { x, y, cut, transform } = closeUp(affine, CROP_SIDE, picture, FACE_SIDE);
  const view = sized(make("canvas"), FACE_SIDE, FACE_SIDE);
  const pen = view.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(picture, x, y, cut, cut, 0, 0, FACE_SIDE, FACE_SIDE);
  return {
    ...face,
    transform,
    close_up: view.toDataURL("image/jpeg", FIGURE_QUALITY),
    layers: urlsOf(face.layers),
    gradcams: urlsOf(face.gradcams),
    attention: urlOf(face.attention),
  };
}

// What stands over a clip, from its beginning to its end.
class Moments {
  #all = [];

  // looks: how heat looks; null where none is drawn.
  constructor(looks) {
    this.looks = looks;
  }

  add(time, faces, size) {
    this.#all.push({ time, faces, size });
  }

  // faces; heats: [address, transform, opacity] of each face's; size of the picture that their
  // places are counted in. null where nothing is known.
  at(time) {
    const past = this.#all.findLast((moment) => moment.time <= time + 1e-3);
    if (!past || time - past.time > MOMENT) return null;
    const heated = past.faces.filter(({ evidence }) => this.looks && evidence);
    return { ...past, heats: heated.map((face) => this.#heat(face)) };
  }

  #heat({ evidence: { map, from }, transform }) {
    const values = saliencyMap(map, from, CROP_SIDE);
    return [urlOf(this.looks.heatPixels({ values, side: CROP_SIDE })), transform, OPACITY];
  }
}
