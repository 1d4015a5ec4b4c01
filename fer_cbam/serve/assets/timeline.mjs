// Probabilities over time as stacked areas, live or of a clip.

import { svg } from "./dom.mjs";

export const WIDTH = 1000; // of a timeline's own coordinates; the page stretches it
export const HEIGHT = 60;

// The parts of a timeline without a gap. points: {time, probs}, in order; probs null is a gap, and
// so is more than `gap` seconds without a point.
export function stretches(points, gap = Infinity) {
  const found = [];
  let last = null;
  for (const point of points) {
    if (point.probs && (!last?.probs || point.time - last.time > gap)) found.push([]);
    if (point.probs) found.at(-1).push(point);
    last = point;
  }
  return found;
}

// [label, SVG points] of each area, stacked from the bottom in the order of the labels.
// across: time -> x.
export function areas(stretch, labels, across) {
  let xs = stretch.map((point) => across(point.time));
  if (xs.length === 1) {
    xs = [xs[0] - 1, xs[0] + 1]; // a moment is drawn as wide as a hair
    stretch = [stretch[0], stretch[0]];
  }
  let floor = xs.map(() => HEIGHT);
  return labels.map((label) => {
    const top = floor.map((y, i) => y - HEIGHT * (stretch[i].probs[label] ?? 0));
    const corner = (y, i) => `${xs[i].toFixed(1)},${y.toFixed(1)}`;
    const outline = [...floor.map(corner), ...top.map(corner).reverse()].join(" ");
    floor = top;
    return [label, outline];
  });
}

// colors: label -> CSS colour, in the order in which areas are stacked.
export function drawTimeline(timeline, points, colors, across, gap) {
  const labels = Object.keys(colors);
  timeline.replaceChildren(
    ...stretches(points, gap).flatMap((stretch) =>
      areas(stretch, labels, across).map(([label, outline]) =>
        svg("polygon", { points: outline, fill: colors[label] }),
      ),
    ),
  );
}

// The expressions of a face over its areas: a line from onset to offset, and one at the apex.
export function drawExpressions(timeline, episodes, across) {
  const marks = episodes.map(({ onset, apex, offset }) => {
    const [from, most, to] = [onset, apex, offset].map((time) => across(time).toFixed(1));
    return svg("path", { class: "fer-expression", d: `M${from},2H${to}M${most},0V${HEIGHT}` });
  });
  timeline.append(...marks);
}

export function makeTimeline(className, title) {
  const viewBox = `0 0 ${WIDTH} ${HEIGHT}`;
  const shape = { class: className, viewBox, preserveAspectRatio: "none" };
  return svg("svg", { ...shape, role: "img", "aria-label": title });
}
