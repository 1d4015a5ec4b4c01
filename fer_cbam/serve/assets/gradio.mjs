// How the parts of the page ask where a server reads the pictures: their questions go to app.py
// through gradio. The page for the visitor's own device has the same functions in `device.mjs`.

import { jsonBlob, loadImage, pause } from "./dom.mjs";
import { noteRefusals, unanswered } from "./session.mjs";

const FRAME_QUALITY = 0.85; // of the JPEG that a live frame travels as
const ASK_AGAIN = 300; // ms between two questions after a clip

function asDataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    // An empty file gives "data:", without a type or a comma.
    reader.onload = () => resolve(reader.result.includes(",") ? reader.result : "data:;base64,");
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

// A file of words as it travels in a question.
async function withData(file) {
  return file && { name: file.name, data: await asDataUrl(file) };
}

async function withLayers(answer) {
  for (const face of answer.faces ?? []) if (face.layer) face.layer = await loadImage(face.layer);
  return answer;
}

noteRefusals();

// server: functions of app.py by name. upload: file -> {path}.
export function gradioReader({ server, upload }) {
  const { root } = window.gradio_config;

  async function fetched(path, type) {
    const response = await fetch(`${root}/gradio_api/file=${path}`);
    if (!response.ok) throw new Error(response.statusText);
    return new Blob([await response.arrayBuffer()], { type });
  }

  async function begin(question, file) {
    if (!file) return server.example_clip({ ...question, transcript: null });
    return server.clip_start({
      ...question,
      transcript: await withData(question.transcript),
      path: (await upload(file)).path,
    });
  }

  async function follow(clip, on) {
    while (true) {
      const answer = await server.clip_ask({ clip });
      if (answer.done || !on.wanted()) return answer;
      on.progress(answer.fraction, answer.seconds);
      await pause(ASK_AGAIN);
    }
  }

  async function withFiles(answer) {
    const annotated = await fetched(answer.annotated, "video/webm");
    const files = {
      annotated: [annotated, "fer-cbam.webm"],
      table: [await fetched(answer.table, "text/csv"), "fer-cbam.csv"],
      numbers: [jsonBlob(answer.numbers), "fer-cbam.json"],
    };
    return { ...answer, played: annotated, files };
  }

  return {
    unanswered,
    beginning: "Uploading…",
    where: [["On the server", ""], ["On this device", `${root}/device/`]],
    example: `${root}/fer-cbam/astronaut.jpg`,
    cardOf: (weights) => `${root}/fer-cbam/cards/${encodeURIComponent(weights)}`,
    pick: (question) => server.pick(question),

    // picture: a canvas. Of the answer each face has a layer that can be drawn, or null.
    async frame(question, picture) {
      const image = picture.toDataURL("image/jpeg", FRAME_QUALITY);
      return withLayers(await server.frame({ ...question, image }));
    },

    voice: (question) => server.voice(question),
    photo: async (question, blob) => server.photo({ ...question, image: await asDataUrl(blob) }),
    examplePhoto: (question) => server.example_photo(question),

    // file: null for the example. on: wanted(), whether the answer still is; reading(), called when
    // the clip is there; progress(fraction or null, seconds). Once it is read the answer has the
    // blob that is played, and files: name -> [blob, name].
    async clip(question, file, on) {
      const started = await begin(question, file);
      if (started.failed) return started;
      try {
        on.reading();
        const answer = await follow(started.clip, on);
        return answer.failed || !on.wanted() ? answer : await withFiles(answer);
      } finally {
        server.clip_forget({ clip: started.clip }).catch(() => {});
      }
    },
  };
}
