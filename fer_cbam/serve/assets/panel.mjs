// What the photo tab says of one face: a sentence, the face under its maps, a bar for each label.

import { fillBar, loadImage, make, makeBar } from "./dom.mjs";
import { paintHeat } from "./faces.mjs";
import { percent } from "./text.mjs";

// face: caption, label, probs, sentences, cautions, close_up, transform, layers (one for each
// label), attention (null where the weights have none). Gives the element, `pick(label)`,
// `fade(per cent)`, and `figure()`: what of it a downloaded figure shows.
export async function makePanel(face, number, count, colors) {
  const panel = make("section", "fer-card fer-panel");
  panel.dataset.face = number;
  const title = `${count > 1 ? `Face ${number + 1} of ${count}: ` : ""}${face.caption}`;
  const words = make("p");
  const sentence = make("div", "fer-words");
  sentence.setAttribute("aria-live", "polite");
  sentence.append(words);
  const views = await makeViews(face);
  const [row, bars] = [make("div", "fer-views"), makeBars(face.probs, colors)];
  row.append(...views.map((view) => view.element));
  panel.append(
    make("h3", "", title),
    sentence,
    ...face.cautions.map((caution) => make("p", "fer-note", caution)),
    row,
    makeScale(),
    bars,
    makeDownloads(),
  );
  let picked = face.label;
  let opacity = 0.65;
  const draw = () => views.forEach((view) => view.draw(picked, opacity));

  function pick(label) {
    picked = label;
    words.textContent = face.sentences[label];
    for (const bar of bars.querySelectorAll(".fer-bar")) {
      bar.setAttribute("aria-pressed", bar.dataset.emotion === label);
    }
    draw();
  }

  function fade(percentage) {
    opacity = percentage / 100;
    panel.querySelector('[data-do="opacity"]').value = percentage;
    draw();
  }

  function figure() {
    const probs = ranked(face.probs).map(([label, prob]) => [label, prob, colors[label]]);
    return { title, sentence: words.textContent, views: views.map(pictureOf), probs };
  }

  pick(face.label);
  return { element: panel, pick, fade, figure };
}

const pictureOf = ({ canvas, title }) => ({ canvas, title: title.textContent });

export const ranked = (probs) => Object.entries(probs).sort(([, a], [, b]) => b - a);

function makeBars(probs, colors) {
  const list = make("ul", "fer-bars");
  for (const [label, prob] of ranked(probs)) {
    const [row, bar] = [make("li"), makeBar(label, colors[label])];
    fillBar(bar, prob, percent(prob));
    row.append(bar);
    list.append(row);
  }
  return list;
}

// The face as it is, under the Grad-CAM of the label that is picked, and under the attention map.
async function makeViews(face) {
  const plain = await loadImage(face.close_up);
  const decoded = async ([label, layer]) => [label, await loadImage(layer)];
  const layers = Object.fromEntries(await Promise.all(Object.entries(face.layers).map(decoded)));
  const attention = face.attention && (await loadImage(face.attention));
  const views = [makeView(plain, face, "Face", () => null)];
  views.push(makeView(plain, face, "Grad-CAM", (label) => layers[label], true));
  if (attention) views.push(makeView(plain, face, "Attention", () => attention));
  return views;
}

function makeView(plain, { transform }, name, layerOf, named = false) {
  const [figure, canvas] = [make("figure"), make("canvas")];
  [canvas.width, canvas.height] = [plain.naturalWidth, plain.naturalHeight];
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", name === "Face" ? "The face" : `${name} over the face`);
  const title = make("figcaption", "", named ? `${name}: ` : name);
  const picked = make("b", "fer-picked");
  if (named) title.append(picked);
  figure.append(canvas, title);
  const draw = (label, opacity) => {
    const pen = canvas.getContext("2d");
    pen.drawImage(plain, 0, 0);
    const layer = layerOf(label);
    if (layer) paintHeat(pen, layer, transform, opacity);
    picked.textContent = label;
  };
  return { element: figure, canvas, title, draw };
}

function makeScale() {
  const scale = make("div", "fer-scale");
  const slider = make("label", "fer-opacity", "Overlay ");
  const input = make("input");
  Object.assign(input, { type: "range", min: 0, max: 100, value: 65 });
  input.dataset.do = "opacity";
  input.setAttribute("aria-label", "Strength of the overlay, per cent");
  slider.append(input);
  scale.append(make("span", "", "little"), make("i"), make("span", "", "most"), slider);
  return scale;
}

function makeDownloads() {
  const row = make("p", "fer-downloads");
  for (const [kind, text] of [["figure", "Figure (PNG)"], ["numbers", "Numbers (JSON)"]]) {
    const button = make("button", "fer-secondary", text);
    button.type = "button";
    button.dataset.do = kind;
    row.append(button);
  }
  return row;
}
