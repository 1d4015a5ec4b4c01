import assert from "node:assert/strict";
import { test } from "node:test";

import { element } from "./fake_dom.js";
import {
  captionPlace,
  captionSize,
  captionText,
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

test("where places at the box are taken, a caption goes farther away", () => {
  const at = (y) => ({ x: 20, y, width: 30, height: 10 });
  const place = (...others) => captionPlace([20, 30, 50, 60], 30, 10, PICTURE, others).y;
  assert.equal(place(at(20), at(60), at(30)), 10); // a line above
  assert.equal(place(at(20), at(60), at(30), at(10)), 70); // a line below
  assert.equal(place(at(20), at(60), at(30), at(10), at(70)), 0);
});

test("twelve faces side by side have captions that cover no other", () => {
  const others = [];
  for (let i = 0; i < 12; i += 1) {
    const box = [8 * i, 60, 8 * i + 8, 70];
    const place = captionPlace(box, 40, 10, [200, 160], others);
    for (const other of others) {
      const apart = Math.abs(place.x - other.x) >= 40 || Math.abs(place.y - other.y) >= 10;
      assert.ok(apart, JSON.stringify([place, other]));
    }
    others.push(place);
  }
});

test("of several faces that are small the number is written, of one and of large ones all", () => {
  const widthOf = (text) => 5 * text.length;
  const face = { caption: "fear 60 %", box: [10, 0, 40, 30] };
  assert.equal(captionText({ ...face, number: null }, widthOf), "fear 60 %");
  assert.equal(captionText({ ...face, number: 2 }, widthOf), "2: fear 60 %"); // twice as wide
  assert.equal(captionText({ ...face, number: 2, box: [10, 0, 39, 30] }, widthOf), "2");
});

test("boxes are drawn below all captions, in the colours that came with them", () => {
  const overlay = element("svg");
  const blue = { color: "blue", ground: "blue", ink: "white", number: null };
  const doubt = { color: "grey", ground: "white", ink: "black", number: null, uncertain: true };
  const faces = [
    { box: [10, 30, 40, 60], caption: "fear 60 %", ...blue },
    { box: [50, 30, 80, 60], caption: "anger? 40 %", ...doubt },
  ];
  drawFaces(overlay, faces, [200, 100]);
  assert.equal(overlay.attributes.viewBox, "0 0 200 100");
  const tags = overlay.children.map((child) => child.tag);
  assert.deepEqual(tags, ["rect", "rect", "rect", "rect", "g", "g"]);
  const [, first] = overlay.children;
  const { x, y, width, height, stroke } = first.attributes;
  assert.deepEqual([x, y, width, height, stroke], ["10", "30", "30", "30", "blue"]);
  const texts = overlay.all("text");
  assert.deepEqual(texts.map((text) => text.textContent), ["fear 60 %", "anger? 40 %"]);
  assert.deepEqual(texts.map((text) => text.attributes.fill), ["white", "black"]);
  const [, second] = overlay.all("g");
  assert.equal(second.children[0].attributes.fill, "white");
  const dashed = overlay.children.map((child) => "stroke-dasharray" in child.attributes);
  assert.deepEqual(dashed, [false, false, false, true, false, false]);
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
