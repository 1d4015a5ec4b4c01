// What the photo tab says of one face: the verdict, a sentence, a bar for each label, the face
// under its maps.

import { fillBar, loadImage, make, makeBar } from "./dom.mjs";
import { paintHeat } from "./faces.mjs";
import { percent } from "./text.mjs";

const ATTENTION_SAYS_LITTLE =
  "The network's attention is nearly the same for every face, whatever it expresses, so it says " +
  "little about this one.";

const GRADCAM = "Grad\u2011CAM"; // no line ends within

// face: caption, note, no_face, label, probs, sentences, cautions, close_up, transform, map (name
// of what `layers` show), layers and gradcams (one for each label), attention (null where the
// weights have none). shown: colors of the labels, and whether the attention tells faces apart.
// Gives the element, `pick(label)`, `fade(per cent)`, `swap()` (to Grad-CAM and back), `picked()`
// (the layer that is shown and its opacity), and `figure()`: what of it a downloaded figure shows.
export async function makePanel(face, number, count, shown) {
  const panel = make("section", "fer-card fer-panel");
  panel.dataset.face = number;
  panel.style.borderInlineStartColor = face.color;
  const title = `${count > 1 ? `Face ${number + 1} of ${count}: ` : ""}${face.caption}`;
  const verdict = make("h2");
  if (count > 1) verdict.append(make("span", "fer-who", `${number + 1} of ${count}`));
  verdict.append(make("b", `fer-verdict${count > 1 ? " fer-one-of" : ""}`, face.caption));
  const words = make("p");
  const sentence = make("div", "fer-words");
  sentence.setAttribute("aria-live", "polite");
  sentence.append(words);
  if (face.no_face) return unnamed(panel, verdict, face, title);
  const which = { gradcam: false };
  const [views, attention] = await makeViews(face, shown.attention, which);
  const [row, bars] = [make("div", "fer-views"), makeBars(face, shown.colors)];
  row.append(...views.map((view) => view.element));
  panel.append(
    verdict,
    sentence,
    ...notesOf(face),
    bars,
    row,
    makeScale(face.map),
    ...(attention ? [makeMore(attention)] : []),
    makeDownloads(),
  );
  let picked = face.label;
  let opacity = 0.65;
  const all = attention ? [...views, attention] : views;
  const draw = () => all.forEach((view) => view.draw(picked, opacity));

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

  function swap() {
    which.gradcam = !which.gradcam;
    panel.querySelector('[data-do="swap"]').setAttribute("aria-pressed", which.gradcam);
    draw();
  }

  function figure() {
    const probs = ranked(face).map(([label, prob]) => [label, prob, shown.colors[label]]);
    return { title, sentence: words.textContent, views: views.map(pictureOf), probs };
  }

  pick(face.label);
  const layer = () => (which.gradcam ? face.gradcams : face.layers)[picked];
  return { element: panel, pick, fade, swap, figure, picked: () => ({ layer: layer(), opacity }) };
}

function notesOf({ note, cautions }) {
  const notes = cautions.map((caution) => make("p", "fer-note", caution));
  return note ? [make("p", "fer-subdued", note), ...notes] : notes;
}

// What the network takes for no face has neither bars nor maps.
async function unnamed(panel, verdict, face, title) {
  const view = makeView(await loadImage(face.close_up), face, () => "Face", () => null);
  const row = make("div", "fer-views");
  view.draw(null, 0);
  row.append(view.element);
  panel.append(verdict, ...notesOf(face), row, makeDownloads());
  const figure = () => ({ title, sentence: face.note, views: [pictureOf(view)], probs: [] });
  const nothing = () => {};
  return { element: panel, pick: nothing, fade: nothing, swap: nothing, figure, picked: nothing };
}

const pictureOf = ({ canvas, title }) => ({ canvas, title: title.textContent });

// The label that is said first, then the others, the most probable first.
export const ranked = ({ label, probs }) =>
  Object.entries(probs).sort(([a, p], [b, q]) => (b === label) - (a === label) || q - p);

function makeBars(face, colors) {
  const list = make("ul", "fer-bars");
  for (const [label, prob] of ranked(face)) {
    const [row, bar] = [make("li"), makeBar(label, colors[label])];
    bar.classList.toggle("fer-said", label === face.label);
    fillBar(bar, prob, percent(prob));
    row.append(bar);
    list.append(row);
  }
  return list;
}

// The face as it is, under the map of the label that is picked, and, where it says something, under
// the attention map; that map apart where it does not.
async function makeViews(face, attentionSpeaks, which) {
  const plain = await loadImage(face.close_up);
  const decoded = async ([label, layer]) => [label, await loadImage(layer)];
  const decode = async (all) =>
    Object.fromEntries(await Promise.all(Object.entries(all).map(decoded)));
  const [layers, gradcams] = [await decode(face.layers), await decode(face.gradcams)];
  const named = () => (which.gradcam ? GRADCAM : face.map);
  const views = [makeView(plain, face, () => "Face", () => null)];
  const picked = (label) => (which.gradcam ? gradcams : layers)[label];
  views.push(makeView(plain, face, named, picked, true));
  if (!face.attention) return [views, null];
  const layer = await loadImage(face.attention);
  const attention = makeView(plain, face, () => "Attention", () => layer);
  return attentionSpeaks ? [[...views, attention], null] : [views, attention];
}

function makeView(plain, { transform }, nameOf, layerOf, named = false) {
  const [figure, canvas] = [make("figure"), make("canvas")];
  [canvas.width, canvas.height] = [plain.naturalWidth, plain.naturalHeight];
  canvas.setAttribute("role", "img");
  const title = make("figcaption");
  const picked = make("b", "fer-picked");
  figure.append(canvas, title);
  const draw = (label, opacity) => {
    const pen = canvas.getContext("2d");
    pen.drawImage(plain, 0, 0);
    const layer = layerOf(label);
    if (layer) paintHeat(pen, layer, transform, opacity);
    const name = nameOf();
    canvas.setAttribute("aria-label", name === "Face" ? "The face" : `${name} over the face`);
    picked.textContent = label;
    title.replaceChildren(named ? `${name}: ` : name, ...(named ? [picked] : []));
  };
  return { element: figure, canvas, title, draw };
}

function makeScale(map) {
  const scale = make("div", "fer-scale");
  const slider = make("label", "fer-opacity", "Strength ");
  const input = make("input");
  Object.assign(input, { type: "range", min: 0, max: 100, value: 65 });
  input.dataset.do = "opacity";
  slider.append(input);
  scale.append(make("span", "", "a little"), make("i"), make("span", "", "most"), slider);
  if (map !== GRADCAM) scale.append(makeSwap());
  return scale;
}

function makeSwap() {
  const button = make("button", "fer-secondary", GRADCAM);
  button.type = "button";
  button.dataset.do = "swap";
  button.setAttribute("aria-pressed", false);
  return button;
}

function makeMore(attention) {
  const [more, row] = [make("details", "fer-more"), make("div", "fer-views")];
  row.append(attention.element, make("p", "fer-subdued", ATTENTION_SAYS_LITTLE));
  more.append(make("summary", "", "More"), row);
  return more;
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
