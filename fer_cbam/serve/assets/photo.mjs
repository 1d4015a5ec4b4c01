// The photo tab: the picture is shown at once, goes to reader.photo and comes back with every face
// and every explanation of it; picking one, the strength of the overlay and the downloads are done
// here.

import { closeCamera, drawCamera, openCamera, refusal } from "./camera.mjs";
import { download, jsonBlob, make, pause, say, takeFiles } from "./dom.mjs";
import { drawFaces, heatImage } from "./faces.mjs";
import { drawFigure } from "./figure.mjs";
import { fillGallery } from "./gallery.mjs";
import { makePanel } from "./panel.mjs";
import { asker, onWeights } from "./session.mjs";
import { tooLarge } from "./text.mjs";

const LARGEST = 25e6; // bytes

export function start({ element, reader }) {
  const find = (selector) => element.querySelector(selector);
  const root = find(".fer-photo");
  const result = find(".fer-result");
  const shutter = find(".fer-shutter");
  const view = find(".fer-view");
  const [picture, pixels] = [find(".fer-picture"), find(".fer-picture img")];
  const overlay = find(".fer-overlay");
  const why = find('[data-do="why"]');
  const column = find(".fer-panels");
  let stream = null;
  let shown = null; // the answer to the photo that is shown
  let panels = [];
  let current = 0; // the face whose panel is open
  let last = null; // how to ask about the photo again, with other weights

  // preview: an address of the photo, where it is here already.
  async function ask(question, preview) {
    if (root.dataset.state === "busy") return;
    last = question;
    root.dataset.state = "busy";
    clear();
    if (preview) {
      result.hidden = true;
      showPixels(preview).catch(() => {}); // of a kind that this browser cannot show
    }
    say(element, "Looking for faces…");
    try {
      const answer = await question();
      if (!answer.failed) await show(answer);
      say(element, answer.message, answer.failed);
      root.dataset.state = answer.failed ? "failed" : "done";
    } catch {
      say(element, reader.unanswered(), true);
      root.dataset.state = "failed";
    }
  }

  function clear() {
    [shown, panels] = [null, []];
    column.replaceChildren();
    overlay.replaceChildren();
    find(".fer-buttons").replaceChildren();
    why.hidden = true;
  }

  async function showPixels(address) {
    const before = pixels.src;
    pixels.src = address;
    await pixels.decode();
    if (before !== address) URL.revokeObjectURL(before); // does nothing to others than previews
    result.hidden = false;
  }

  async function show(answer) {
    const { faces } = answer;
    await showPixels(answer.photo);
    panels = await Promise.all(
      faces.map((face, i) => makePanel(face, i, faces.length, answer)),
    );
    shown = answer;
    column.replaceChildren(...panels.map((panel) => panel.element));
    const { image } = answer.numbers;
    find(".fer-buttons").replaceChildren(...faces.map((face, i) => makeButton(face, i, image)));
    why.hidden = !faces.length;
    pickFace(0);
  }

  // Boxes, captions and heat, for the size that the photo has on the screen.
  function redraw() {
    if (!shown) return;
    const several = shown.faces.length > 1;
    const faces = shown.faces.map((face, i) => ({ ...face, number: several ? i + 1 : null }));
    const { width, height } = shown.numbers.image;
    drawFaces(overlay, faces, [width, height]);
    const picked = why.getAttribute("aria-pressed") === "true" && panels[current]?.picked();
    if (picked) overlay.prepend(heatImage(picked.layer, faces[current].place, picked.opacity));
  }

  function pickFace(number) {
    current = number;
    for (const button of element.querySelectorAll(".fer-face")) {
      button.setAttribute("aria-pressed", Number(button.dataset.face) === number);
    }
    panels.forEach((panel, i) => (panel.element.hidden = i !== number));
    redraw();
  }

  function read(file) {
    if (!file) return;
    const refused = tooLarge(file.size, LARGEST);
    if (refused) return say(element, refused, true);
    ask(() => reader.photo(asker(), file), URL.createObjectURL(file));
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
    closeShutter();
    canvas.toBlob((blob) => read(blob), "image/jpeg", 0.95);
  }

  function save(kind, number) {
    if (kind === "numbers") return download(jsonBlob(shown.numbers), "fer-cbam.json");
    const canvas = drawFigure(panels[number].figure(), shown.numbers.weights);
    canvas.toBlob((blob) => download(blob, `fer-cbam-face-${number + 1}.png`), "image/png");
  }

  takeFiles(find("#fer-file"), root, read);
  const example = () => ask(() => reader.examplePhoto(asker()), reader.example);
  find('[data-do="example"]').addEventListener("click", example);
  const tried = (made) => (made ? read(made) : example());
  fillGallery(find(".fer-gallery"), reader.example, tried).catch(() => {}); // the button is there
  find('[data-do="camera"]').addEventListener("click", openShutter);
  find('[data-do="take"]').addEventListener("click", takePhoto);
  find('[data-do="close"]').addEventListener("click", closeShutter);
  why.addEventListener("click", () => {
    why.setAttribute("aria-pressed", why.getAttribute("aria-pressed") !== "true");
    redraw();
  });
  new ResizeObserver(redraw).observe(picture);
  result.addEventListener("click", (event) => {
    const button = event.target.closest("[data-face] button, .fer-face");
    if (!button) return;
    const number = Number(button.closest("[data-face]").dataset.face);
    if (button.matches(".fer-face")) pickFace(number);
    else if (button.dataset.emotion) panels[number].pick(button.dataset.emotion);
    else if (button.dataset.do === "swap") panels[number].swap();
    else save(button.dataset.do, number);
    redraw();
  });
  result.addEventListener("input", (event) => {
    const { value, dataset } = event.target;
    if (dataset.do !== "opacity") return;
    panels.forEach((panel) => panel.fade(value));
    redraw();
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
