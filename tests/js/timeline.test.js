import assert from "node:assert/strict";
import { test } from "node:test";

import { element } from "./fake_dom.js";
import {
  HEIGHT,
  WIDTH,
  areas,
  drawExpressions,
  drawTimeline,
  stretches,
} from "../../fer_cbam/serve/assets/timeline.mjs";

const COLORS = { anger: "red", happiness: "yellow" };
const point = (time, happiness) => ({
  time,
  probs: happiness === null ? null : { anger: 1 - happiness, happiness },
});
const across = (time) => (time / 10) * WIDTH;

test("areas are stacked from the bottom and fill the height", () => {
  assert.equal(HEIGHT, 60);
  const found = areas([point(0, 0.25), point(5, 1)], Object.keys(COLORS), across);
  // There along the floor, back along the top.
  assert.deepEqual(found, [
    ["anger", "0.0,60.0 500.0,60.0 500.0,60.0 0.0,15.0"],
    ["happiness", "0.0,15.0 500.0,60.0 500.0,0.0 0.0,0.0"],
  ]);
});

test("a single moment is seen", () => {
  const [[, outline]] = areas([point(5, 1)], ["happiness"], across);
  assert.equal(outline, "499.0,60.0 501.0,60.0 501.0,0.0 499.0,0.0");
});

test("points without a face, and pauses, interrupt it", () => {
  const times = (found) => found.map((stretch) => stretch.map(({ time }) => time));
  const gap = [point(0, 0.5), point(1, 0.5), point(2, null), point(3, null), point(4, 0.5)];
  assert.deepEqual(times(stretches(gap)), [[0, 1], [4]]);
  const pauses = [point(0, 0.5), point(1, 0.5), point(2.5, 0.5)];
  assert.deepEqual(times(stretches(pauses, 1)), [[0, 1], [2.5]]);
  assert.deepEqual(stretches([]), []);
});

test("each area has the colour of its label", () => {
  const timeline = element("svg");
  timeline.append(element("polygon")); // of the last time
  const points = [point(0, 0.25), point(5, 1), point(6, null), point(7, 1)];
  drawTimeline(timeline, points, COLORS, across);
  const fills = timeline.all("polygon").map((polygon) => polygon.attributes.fill);
  assert.deepEqual(fills, ["red", "yellow", "red", "yellow"]);
});

test("expressions are marked from onset to offset, and at their apex", () => {
  const timeline = element("svg");
  drawExpressions(timeline, [{ onset: 1, apex: 2, offset: 4 }], across);
  const [mark] = timeline.children;
  assert.equal(mark.attributes.d, "M100.0,2H400.0M200.0,0V60");
});
