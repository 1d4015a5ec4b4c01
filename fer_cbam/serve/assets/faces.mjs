// What is drawn of faces, live or in a photo: boxes and captions as SVG over the picture, heat on
// canvas. Words and colours come from the server; where a caption goes is decided as in render.py.

import { svg } from "./dom.mjs";

const CAPTION_PIXELS = [12, 17]; // least and most size of a caption on the screen
const WIDEST = 2; // widths of its face that a caption may have where there are several

const overlap = (a, b) =>
  Math.max(a.x, b.x) < Math.min(a.x + a.width, b.x + b.width) &&
  Math.max(a.y, b.y) < Math.min(a.y + a.height, b.y + b.height);

// Where a caption of this width and height goes: above its box, below it, at its upper edge, or a
// line or more farther up or down, the first of them within the picture that covers none of the
// `others`; where all cover one, the first. picture: [width, height].
export function captionPlace(box, width, height, picture, others = []) {
  const [w, h] = [Math.min(width, picture[0]), Math.min(height, picture[1])];
  const x = Math.min(Math.max(box[0], 0), picture[0] - w);
  const lowest = picture[1] - h;
  const rows = [box[1] - h, box[3], Math.min(Math.max(box[1], 0), lowest)];
  for (let away = h; away < picture[1]; away += h) rows.push(box[1] - h - away, box[3] + away);
  const places = rows
    .filter((y) => 0 <= y && y <= lowest)
    .map((y) => ({ x, y, width: w, height: h }));
  return places.find((place) => !others.some((other) => overlap(place, other))) ?? places[0];
}

// Size of a caption in pixels of the picture: about as wide as its face, and readable on the
// screen. scale: pixels of the screen for one of the picture.
export function captionSize(box, scale) {
  const [least, most] = CAPTION_PIXELS;
  return Math.min(most, Math.max(least, (scale * (box[2] - box[0])) / 7)) / scale;
}

// What is written at a face. Of several small ones the number: what else is said of it stands
// beside the picture, and captions would cover the faces.
export function captionText({ number, caption, box }, widthOf) {
  if (!number) return caption;
  const whole = `${number}: ${caption}`;
  return widthOf(whole) > WIDEST * (box[2] - box[0]) ? String(number) : whole;
}

let pen = null;

function textWidth(text, size) {
  pen ??= document.createElement("canvas").getContext("2d");
  pen.font = `600 ${size}px system-ui, sans-serif`;
  return pen.measureText(text).width;
}

// Width and height on the screen; 0 where it is not seen.
export const shownSize = (overlay) => [overlay.clientWidth, overlay.clientHeight];

// Boxes and captions in an SVG over the picture. faces: box, caption, uncertain, no_face, color,
// ground, ink, and a number where there are several. size: [width, height] of the picture that the
// boxes are counted in. shown: of the overlay on the screen.
export function drawFaces(overlay, faces, size, shown = shownSize(overlay)) {
  const viewBox = `0 0 ${size[0]} ${size[1]}`;
  if (overlay.getAttribute("viewBox") !== viewBox) overlay.setAttribute("viewBox", viewBox);
  // The picture is as large as the overlay, or a clip's within it, in one direction.
  const scale = Math.min((shown[0] || size[0]) / size[0], (shown[1] || size[1]) / size[1]);
  const others = [];
  const captions = faces.map((face) => {
    const letters = captionSize(face.box, scale);
    const widthOf = (words) => textWidth(words, letters) + 0.9 * letters;
    const text = captionText(face, widthOf);
    const width = widthOf(text);
    const place = captionPlace(face.box, width, 1.5 * letters, size, others);
    others.push(place);
    return drawCaption(face, text, place, letters);
  });
  // Captions last: no box runs through one.
  overlay.replaceChildren(...faces.flatMap((face) => drawBox(face, scale)), ...captions);
}

// Dashed where the answer is uncertain, or none.
function drawBox({ box: [x1, y1, x2, y2], color, ...face }, scale) {
  const place = { x: x1, y: y1, width: x2 - x1, height: y2 - y1, rx: 5 / scale, fill: "none" };
  const line = (stroke, width) => svg("rect", { ...place, stroke, "stroke-width": width / scale });
  const lines = [line("rgb(0 0 0 / 55%)", 4.5), line(color, 2.5)];
  const doubtful = face.uncertain || face.no_face;
  if (doubtful) lines[1].setAttribute("stroke-dasharray", `${8 / scale} ${5 / scale}`);
  return lines;
}

function drawCaption({ color, ground, ink }, text, place, letters) {
  const group = svg("g", { class: "fer-tag" });
  const middle = { x: place.x + 0.45 * letters, y: place.y + place.height / 2 };
  const edge = { stroke: color, "stroke-width": letters / 8 };
  group.append(
    svg("rect", { ...place, rx: letters / 4, fill: ground, ...edge }),
    svg("text", { ...middle, fill: ink, "font-size": letters }, text),
  );
  return group;
}

// A heat layer as part of the SVG over a picture. layer: its address. place: the transform from the
// layer's pixels to those of the picture.
export function heatImage(layer, place, opacity) {
  return svg("image", { href: layer, transform: `matrix(${place.join(" ")})`, opacity });
}

// One heat layer over a picture; transform: from the layer's pixels to the canvas's.
export function paintHeat(context, layer, transform, opacity) {
  context.save();
  context.transform(...transform);
  context.globalAlpha = opacity;
  context.drawImage(layer, 0, 0);
  context.restore();
}
