// The photo tab: the picture goes to server.photo and comes back with every face and every
// explanation of it; picking one, the strength of the overlay and the downloads are done here.

import { closeCamera, drawCamera, openCamera, refusal } from "./camera.mjs";
import { download, jsonBlob, loadImage, make, pause, say, svg, takeFiles } from "./dom.mjs";
import { drawFaces } from "./faces.mjs";
import { drawFigure } from "./figure.mjs";
import { makePanel } from "./panel.mjs";
import { UNANSWERED, asker, onWeights } from "./session.mjs";
import { tooLarge } from "./text.mjs";

const LARGEST = 25e6; // bytes

export function start({ element, server }) {
  const find = (selector) => element.querySelector(selector);
  const root = find(".fer-photo");
  const result = find(".fer-result");
  const shutter = find(".fer-shutter");
  const view = find(".fer-view");
  let stream = null;
  let numbers = null; // of the photo that is shown
  let panels = [];
  let redraw = () => {}; // boxes and captions, for the size that the photo has on the screen
  let last = null; // how to ask about it again, with other weights

  async function ask(question) {
    if (root.dataset.state === "busy") return;
    last = question;
    root.dataset.state = "busy";
    result.replaceChildren();
    say(element, "Looking for faces…");
    try {
      const answer = await question();
      if (!answer.failed) await show(answer);
      say(element, answer.message, answer.failed);
      root.dataset.state = answer.failed ? "failed" : "done";
    } catch {
      say(element, UNANSWERED, true);
      root.dataset.state = "failed";
    }
  }

  async function show(answer) {
    numbers = answer.numbers;
    if (!answer.faces.length) return;
    panels = await Promise.all(
      answer.faces.map((face, i) => makePanel(face, i, answer.faces.length, answer.colors)),
    );
    const picture = await makePicture(answer);
    const column = make("div", "fer-panels");
    column.append(...panels.map((panel) => panel.element));
    result.replaceChildren(picture, column);
    pickFace(0);
  }

  async function makePicture({ photo, faces, numbers: { image } }) {
    const picture = make("div", "fer-picture");
    const pixels = await loadImage(photo);
    pixels.alt = "The photo, its faces marked";
    const overlay = svg("svg", { class: "fer-overlay", "aria-hidden": "true" });
    redraw = () => drawFaces(overlay, faces, [image.width, image.height]);
    new ResizeObserver(redraw).observe(overlay);
    picture.append(pixels, overlay, ...faces.map((face, i) => makeButton(face, i, image)));
    return picture;
  }

  function pickFace(number) {
    for (const button of element.querySelectorAll(".fer-face")) {
      button.setAttribute("aria-pressed", Number(button.dataset.face) === number);
    }
    panels.forEach((panel, i) => (panel.element.hidden = i !== number));
  }

  function read(file) {
    if (!file) return;
    const refused = tooLarge(file.size, LARGEST);
    if (refused) return say(element, refused, true);
    const reader = new FileReader();
    reader.onload = () => {
      // An empty file gives "data:", without a type or a comma.
      const image = reader.result.includes(",") ? reader.result : "data:;base64,";
      ask(() => server.photo({ ...asker(), image }));
    };
    reader.onerror = () => say(element, "This file cannot be read.", true);
    reader.readAsDataURL(file);
  }

  async function openShutter() {
    try {
      stream = await openCamera(view, { facingMode: "user" });
    } catch (error) {
      closeShutter();
      return say(element, refusal(error), true);
    }
    say(element, "");
    shutter.hidden = false;
    const source = stream;
    while (stream === source) {
      if (element.offsetParent === null) closeShutter(); // the visitor went to another tab
      await pause(300);
    }
  }

  function closeShutter() {
    closeCamera(view, stream);
    stream = null;
    shutter.hidden = true;
  }

  function takePhoto() {
    const canvas = document.createElement("canvas");
    drawCamera(view, stream, canvas, 1280);
    const image = canvas.toDataURL("image/jpeg", 0.95);
    closeShutter();
    ask(() => server.photo({ ...asker(), image }));
  }

  function save(kind, number) {
    if (kind === "numbers") return download(jsonBlob(numbers), "fer-cbam.json");
    const canvas = drawFigure(panels[number].figure(), numbers.weights);
    canvas.toBlob((blob) => download(blob, `fer-cbam-face-${number + 1}.png`), "image/png");
  }

  takeFiles(find("#fer-file"), find(".fer-drop"), read);
  const example = () => ask(() => server.example_photo(asker()));
  find('[data-do="example"]').addEventListener("click", example);
  find('[data-do="camera"]').addEventListener("click", openShutter);
  find('[data-do="take"]').addEventListener("click", takePhoto);
  find('[data-do="close"]').addEventListener("click", closeShutter);
  result.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const number = Number(button.closest("[data-face]").dataset.face);
    if (button.matches(".fer-face")) pickFace(number);
    else if (button.dataset.emotion) panels[number].pick(button.dataset.emotion);
    else save(button.dataset.do, number);
  });
  result.addEventListener("input", (event) => {
    const { value, dataset } = event.target;
    if (dataset.do === "opacity") panels.forEach((panel) => panel.fade(value));
  });
  document.addEventListener("paste", (event) => {
    if (element.offsetParent !== null) read(event.clipboardData?.files[0]);
  });
  onWeights(() => {
    if (last && root.dataset.state !== "idle") ask(last); // the same photo, by the new weights
  });
}

// A button over a face, as far as its box lies within the photo.
function makeButton({ box, caption }, number, { width, height }) {
  const button = make("button", "fer-face");
  button.type = "button";
  button.dataset.face = number;
  button.setAttribute("aria-label", `Face ${number + 1}: ${caption}`);
  Object.assign(button.style, placeOf(box, width, height));
  return button;
}

export function placeOf([x1, y1, x2, y2], width, height) {
  const share = (value, whole) => Math.min(1, Math.max(0, value / whole));
  const [left, top] = [share(x1, width), share(y1, height)];
  const css = (value) => `${(100 * value).toFixed(2)}%`;
  return {
    left: css(left),
    top: css(top),
    width: css(share(x2, width) - left),
    height: css(share(y2, height) - top),
  };
}
