import assert from "node:assert/strict";
import { test } from "node:test";

import { Steady, inWords } from "../../fer_cbam/serve/assets/steady.mjs";

test("an answer is told once it has stayed, and once only", () => {
  const steady = new Steady();
  const told = [
    [0, "fear."], [1, "fear."], [1.5, "fear."], [2, "fear."], // stays
    [2.5, "anger."], [2.6, "fear."], [3, "anger."], [4, "anger."], // flickers
    [4.5, "anger."], [6, "anger."],
  ].map(([now, text]) => steady.next(text, now));
  const expected = [null, null, "fear.", null, null, null, null, null, "anger.", null];
  assert.deepEqual(told, expected);
});

test("a face that left is told too", () => {
  const steady = new Steady();
  steady.next("fear.", 0);
  assert.equal(steady.next("fear.", 2), "fear.");
  assert.equal(steady.next("", 3), null);
  assert.equal(steady.next("", 5), "");
});

test("faces are told in words, with numbers where there are several", () => {
  assert.equal(inWords([{ label: "fear", uncertain: false, number: null }]), "fear.");
  const two = [
    { label: "fear", uncertain: true, number: 1 },
    { label: "anger", uncertain: false, number: 2 },
  ];
  assert.equal(inWords(two), "Face 1: perhaps fear. Face 2: anger.");
  assert.equal(inWords([{ label: "fear", uncertain: true, no_face: true }]), "no face.");
  assert.equal(inWords([]), "");
});
