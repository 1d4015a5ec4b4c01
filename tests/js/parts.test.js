// What the parts of the page decide without a document.
import assert from "node:assert/strict";
import { test } from "node:test";

import "./fake_dom.js";
import { openCamera, refusal } from "../../fer_cbam/serve/assets/camera.mjs";
import { ranked } from "../../fer_cbam/serve/assets/panel.mjs";
import { placeOf } from "../../fer_cbam/serve/assets/photo.mjs";
import { asker } from "../../fer_cbam/serve/assets/session.mjs";
import { episodeInWords, titleOf } from "../../fer_cbam/serve/assets/clip_rows.mjs";
import { momentAt, seenLongest } from "../../fer_cbam/serve/assets/video.mjs";

test("a button lies over its face, as far as that lies within the photo", () => {
  const inside = { left: "10.00%", top: "10.00%", width: "12.00%", height: "24.00%" };
  assert.deepEqual(placeOf([40, 20, 88, 68], 400, 200), inside);
  const beyond = { left: "90.00%", top: "0.00%", width: "10.00%", height: "25.00%" };
  assert.deepEqual(placeOf([360, -10, 420, 50], 400, 200), beyond);
});

test("bars of a photo are ranked, the label that is said first", () => {
  const probs = { anger: 0.004, fear: 0.246, happiness: 0.75 };
  const order = (label) => ranked({ label, probs }).map(([name]) => name);
  assert.deepEqual(order("happiness"), ["happiness", "fear", "anger"]);
  assert.deepEqual(order("fear"), ["fear", "happiness", "anger"]);
});

test("at a place in a clip the nearest answers are told, of the faces in view", () => {
  const point = (time, label, happiness, uncertain = false) => ({
    time, label, uncertain, probs: { fear: 1 - happiness, happiness },
  });
  const tracks = [
    { track: 1, timeline: [point(0, "happiness", 0.9), point(1, "happiness", 0.2, true)] },
    { track: 2, timeline: [point(3, "fear", 0.6), { time: 4, probs: null }] },
  ];
  assert.deepEqual(momentAt(tracks, 0.4), [[1, "happiness 90 %"]]);
  assert.deepEqual(momentAt(tracks, 1.4), [[1, "happiness? 20 %"]]);
  assert.deepEqual(momentAt(tracks, 2), []);
  assert.deepEqual(momentAt(tracks, 2.6), [[2, "fear 40 %"]]); // as it is said, not the larger one
  assert.deepEqual(momentAt(tracks, 4), []);
});

test("of a clip those seen longest are shown, by number", () => {
  const tracks = [5, 9, 2, 7].map((frames, i) => ({ track: i + 1, frames }));
  assert.deepEqual(seenLongest(tracks, 2).map(({ track }) => track), [2, 4]);
  assert.equal(tracks[0].track, 1); // theirs stay as they were
});

test("a face of a clip is told in words", () => {
  const shares = { anger: 0.2, happiness: 0.8 };
  const track = { track: 3, dominant: "happiness", shares, first: 0, last: 65.2 };
  assert.equal(titleOf(track), "Face 3: happiness 80 % of the time (0:00 to 1:05)");
});

test("an expression of a clip is told with its times", () => {
  const times = { onset: 0.76, apex: 1.5, offset: 2.233 };
  const told = episodeInWords({ label: "happiness", ...times, intensity: 0.981 });
  assert.equal(told, "happiness 0.8 to 2.2 s, most at 1.5 s (98 %)");
});

test("a camera that is refused is explained", async () => {
  assert.match(refusal({ name: "NotFoundError" }), /No camera was found/);
  assert.equal(refusal(new Error("x")), "The camera cannot be used: x.");
  await assert.rejects(openCamera({}, {}), /only to pages on https or localhost/);
});

test("a visitor keeps one name, and starts with the server's weights", () => {
  assert.equal(asker().weights, "");
  assert.equal(asker().visitor, asker().visitor);
  assert.match(asker().visitor, /^\d+(-\d+){3}$/);
});
