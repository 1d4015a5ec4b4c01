// Examples to try. All are made from the one photograph that may be passed on, see README.md here.

import { loadImage, make } from "./dom.mjs";

// Head and shoulders: left, top, width and height, as shares of the photograph.
const HEAD = [0.27, 0, 0.34, 0.55];

// Name -> size and drawing of a picture, from the photograph; null: the photograph itself.
export const EXAMPLES = {
  "One face": null,
  "Three faces": (photo) => {
    const sides = [photo.width, photo.height, photo.width, photo.height];
    const [left, top, width, height] = HEAD.map((share, i) => Math.round(share * sides[i]));
    const draw = (pen, i) =>
      pen.drawImage(photo, left, top, width, height, i * width, 0, width, height);
    return [3 * width, height, (pen) => [0, 1, 2].forEach((i) => draw(pen, i))];
  },
  "On its side": (photo) => [
    photo.height,
    photo.width,
    (pen) => {
      pen.setTransform(0, 1, -1, 0, photo.height, 0);
      pen.drawImage(photo, 0, 0);
    },
  ],
};

const asIs = (photo) => [photo.width, photo.height, (pen) => pen.drawImage(photo, 0, 0)];

function drawn([width, height, draw]) {
  const canvas = make("canvas");
  [canvas.width, canvas.height] = [width, height];
  draw(canvas.getContext("2d"));
  return canvas;
}

// Buttons with the examples in them. address: of the photograph. tried: called with null for the
// photograph, with a JPEG for what was made from it.
export async function fillGallery(gallery, address, tried) {
  const photo = await loadImage(address);
  for (const [name, made] of Object.entries(EXAMPLES)) {
    const [button, canvas] = [make("button", "fer-example"), drawn((made ?? asIs)(photo))];
    button.type = "button";
    button.append(canvas, make("span", "", name));
    button.addEventListener("click", () =>
      made ? canvas.toBlob(tried, "image/jpeg", 0.95) : tried(null),
    );
    gallery.append(button);
  }
}
