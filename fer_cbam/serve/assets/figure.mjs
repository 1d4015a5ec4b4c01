// The figure of one face that the photo tab offers for download: title, sentence, views, bars.

import { make } from "./dom.mjs";
import { percent, wrap } from "./text.mjs";

const [SIDE, GAP, MARGIN, LINE, BAR] = [288, 18, 28, 24, 28]; // pixels
const INK = { title: "#1e293b", under: "#475569", foot: "#64748b", track: "#e2e8f0" };

// title, sentence; views: {canvas, title}; probs: [label, probability, CSS colour].
export function drawFigure({ title, sentence, views, probs }, weights) {
  const width = 2 * MARGIN + views.length * SIDE + (views.length - 1) * GAP;
  const canvas = make("canvas");
  const pen = canvas.getContext("2d");
  pen.font = font(17);
  const lines = wrap(sentence, width - 2 * MARGIN, (text) => pen.measureText(text).width);
  const top = MARGIN + 54 + LINE * lines.length;
  const barsTop = top + SIDE + 44;
  canvas.width = width;
  canvas.height = barsTop + BAR * probs.length + MARGIN + 18;
  pen.fillStyle = "white";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.textBaseline = "middle";
  write(pen, title, MARGIN, MARGIN + 14, 24, INK.title, 600);
  lines.forEach((line, i) => write(pen, line, MARGIN, MARGIN + 52 + LINE * i, 17, INK.title));
  views.forEach((view, i) => {
    const left = MARGIN + i * (SIDE + GAP);
    pen.drawImage(view.canvas, left, top, SIDE, SIDE);
    pen.textAlign = "center";
    write(pen, view.title, left + SIDE / 2, top + SIDE + 18, 15, INK.under);
    pen.textAlign = "left";
  });
  probs.forEach((prob, i) => drawBar(pen, prob, barsTop + BAR * (i + 0.5), width));
  const foot = `FER-CBAM, ${weights}. Expressions, not feelings.`;
  write(pen, foot, MARGIN, canvas.height - MARGIN + 6, 13, INK.foot);
  return canvas;
}

const font = (size, weight = 400) => `${weight} ${size}px system-ui, sans-serif`;

function write(pen, text, x, y, size, color, weight) {
  pen.font = font(size, weight);
  pen.fillStyle = color;
  pen.fillText(text, x, y);
}

function drawBar(pen, [label, prob, color], middle, width) {
  const [start, length] = [MARGIN + 120, width - 2 * MARGIN - 200];
  write(pen, label, MARGIN, middle, 16, INK.title);
  pen.textAlign = "right";
  write(pen, percent(prob), width - MARGIN, middle, 16, INK.title);
  pen.textAlign = "left";
  pen.fillStyle = INK.track;
  pen.fillRect(start, middle - 7, length, 14);
  pen.fillStyle = color;
  pen.fillRect(start, middle - 7, length * prob, 14);
}
