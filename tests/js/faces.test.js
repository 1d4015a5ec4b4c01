import assert from "node:assert/strict";
import { test } from "node:test";

import { element } from "./fake_dom.js";
import {
  captionPlace,
  captionSize,
  drawFaces,
  paintHeat,
} from "../../fer_cbam/serve/assets/faces.mjs";

const PICTURE = [100, 80];

test("a caption goes above its box, else below it, else to its upper edge", () => {
  const place = (box) => captionPlace(box, 30, 10, PICTURE);
  assert.deepEqual(place([20, 30, 50, 60]), { x: 20, y: 20, width: 30, height: 10 });
  assert.equal(place([20, 5, 50, 60]).y, 60);
  assert.equal(place([20, 5, 50, 75]).y, 5);
});

test("a caption stays within the picture", () => {
  assert.equal(captionPlace([90, 30, 99, 60], 30, 10, PICTURE).x, 70);
  assert.equal(captionPlace([-9, 30, 20, 60], 30, 10, PICTURE).x, 0);
  assert.equal(captionPlace([20, 30, 50, 60], 300, 10, PICTURE).width, 100);
});

test("a caption covers no other one where there is room", () => {
  const other = { x: 40, y: 22, width: 30, height: 10 };
  assert.equal(captionPlace([20, 30, 50, 60], 30, 10, PICTURE, [other]).y, 60);
  const beside = { ...other, x: 50 };
  assert.equal(captionPlace([20, 30, 50, 60], 30, 10, PICTURE, [beside]).y, 20);
});

test("a caption is readable on the screen, whatever the picture's size", () => {
  assert.equal(captionSize([0, 0, 10, 10], 1), 12); // at least
  assert.equal(captionSize([0, 0, 1000, 10], 1), 17); // at most
  assert.equal(captionSize([0, 0, 105, 10], 1), 15); // 105 / 7
  assert.equal(captionSize([0, 0, 210, 10], 0.5) * 0.5, 15); // the same on the screen
});

test("boxes are drawn below all captions, in the colours that came with them", () => {
  const overlay = element("svg");
  const faces = [
    { box: [10, 30, 40, 60], caption: "fear 60 %", color: "blue", ink: "white" },
    { box: [50, 30, 80, 60], caption: "uncertain", color: "grey", ink: "black" },
  ];
  drawFaces(overlay, faces, [200, 100]);
  assert.equal(overlay.attributes.viewBox, "0 0 200 100");
  const tags = overlay.children.map((child) => child.tag);
  assert.deepEqual(tags, ["rect", "rect", "rect", "rect", "g", "g"]);
  const [, first] = overlay.children;
  const { x, y, width, height, stroke } = first.attributes;
  assert.deepEqual([x, y, width, height, stroke], ["10", "30", "30", "30", "blue"]);
  const texts = overlay.all("text");
  assert.deepEqual(texts.map((text) => text.textContent), ["fear 60 %", "uncertain"]);
  assert.deepEqual(texts.map((text) => text.attributes.fill), ["white", "black"]);
  const [, second] = overlay.all("g");
  assert.equal(second.children[0].attributes.fill, "grey");
  // The first caption reaches over the second face's place, which goes below its box.
  assert.equal(second.children[0].attributes.y, "60");
  drawFaces(overlay, [], [200, 100]);
  assert.equal(overlay.children.length, 0);
});

test("heat is laid over by its transform and opacity, and leaves the canvas as it was", () => {
  const calls = [];
  const pen = new Proxy({}, {
    get: (_, name) => (...values) => calls.push([name, ...values]),
    set: (_, name, value) => calls.push([name, value]),
  });
  paintHeat(pen, "layer", [1, 2, 3, 4, 5, 6], 0.65);
  assert.deepEqual(calls, [
    ["save"],
    ["transform", 1, 2, 3, 4, 5, 6],
    ["globalAlpha", 0.65],
    ["drawImage", "layer", 0, 0],
    ["restore"],
  ]);
});
