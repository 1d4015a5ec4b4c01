import assert from "node:assert/strict";
import { test } from "node:test";

import {
  clock, percent, tooLarge, whyUnanswered, wrap,
} from "../../fer_cbam/serve/assets/text.mjs";

test("no answer is certain", () => {
  assert.deepEqual([0, 0.0099, 0.01].map(percent), ["< 1 %", "< 1 %", "1 %"]);
  assert.deepEqual([0.125, 0.9949, 0.995, 1].map(percent), ["13 %", "99 %", "> 99 %", "> 99 %"]);
});

test("seconds as a clock", () => {
  assert.deepEqual([0, 59.4, 59.6, 75, 601].map(clock), ["0:00", "0:59", "1:00", "1:15", "10:01"]);
});

test("a file that is too large is refused in words", () => {
  assert.equal(tooLarge(25e6, 25e6), null);
  assert.equal(tooLarge(26.2e6, 25e6), "This file has 26 MB; at most 25 MB can be read.");
});

test("a sentence is broken between words", () => {
  const measure = (text) => text.length;
  assert.deepEqual(wrap("one two three", 7, measure), ["one two", "three"]);
  assert.deepEqual(wrap("unbreakable a", 5, measure), ["unbreakable", "a"]);
});

test("why there is no answer is told apart", () => {
  assert.match(whyUnanswered(413), /takes at once/);
  assert.match(whyUnanswered(401), /signed in/);
  for (const busy of [429, 503]) assert.match(whyUnanswered(busy), /^Many people/);
  for (const proxy of [502, 504]) assert.match(whyUnanswered(proxy), /behind this address/);
  assert.match(whyUnanswered(500), /failed over it \(500\)/);
  for (const nobody of [0, null]) assert.match(whyUnanswered(nobody), /Does it still run/);
});
