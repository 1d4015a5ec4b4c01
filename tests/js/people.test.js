import assert from "node:assert/strict";
import { test } from "node:test";

import { element } from "./fake_dom.js";
import { People, remember } from "../../fer_cbam/serve/assets/people.mjs";

const COLORS = { anger: "red", happiness: "yellow" };
const face = (track, happiness) => ({
  track,
  label: happiness > 0.5 ? "happiness" : "anger",
  caption: `face ${track}`,
  probs: { anger: 1 - happiness, happiness },
});

test("moments are kept for thirty seconds, at most ten a second", () => {
  const history = [];
  for (const time of [0, 0.05, 0.1, 0.5, 30.2]) remember(history, { time });
  assert.deepEqual(history.map(({ time }) => time), [0.5, 30.2]);
});

test("a card has the bars of its face, and the explained one is pressed", () => {
  const cards = element();
  const people = new People(cards, COLORS);
  people.show([face(1, 0.75)], 1, null);
  const [card] = cards.children;
  assert.equal(card.querySelector(".fer-who").textContent, ""); // one person needs no number
  assert.equal(people.numberOf(1), null);
  assert.equal(card.querySelector(".fer-verdict").textContent, "face 1");
  const [, anger, happiness] = card.all("button");
  assert.equal(anger.querySelector(".fer-fill").style.width, "25.0%");
  assert.equal(happiness.querySelector(".fer-percent").textContent, "75 %");
  const pressed = () => [anger, happiness].map((bar) => bar.attributes["aria-pressed"]);
  assert.deepEqual(pressed(), ["false", "true"]);
  assert.ok(happiness.classList.contains("fer-said") && !anger.classList.contains("fer-said"));
  people.show([face(1, 0.75)], 1.2, "anger");
  assert.deepEqual(pressed(), ["true", "false"]);
  assert.ok(happiness.classList.contains("fer-said")); // is still what is said
  assert.equal(card.all("polygon").length, 2);
});

test("a card stays while its face is gone for a moment, and goes after four seconds", () => {
  const cards = element();
  const people = new People(cards, COLORS);
  people.show([face(1, 0.75), face(2, 0.25)], 1, null);
  const [first] = cards.children;
  assert.equal(first.querySelector(".fer-who").textContent, "1");
  people.show([face(2, 0.25)], 1.5, null);
  assert.ok(!first.classList.contains("fer-away"));
  people.show([face(2, 0.25)], 2, null);
  people.show([face(2, 0.25)], 2.3, null);
  assert.ok(first.classList.contains("fer-away"));
  people.show([face(1, 0.75), face(2, 0.25)], 2.6, null);
  assert.ok(!first.classList.contains("fer-away"));
  assert.equal(cards.children[0], first);
  for (const time of [3.5, 4.5, 5.5, 6.5, 7]) people.show([face(2, 0.25)], time, null);
  assert.equal(cards.children.length, 1);
  assert.equal(cards.children[0].querySelector(".fer-who").textContent, "");
});

test("where frames come seldom, a face is not away before two of them", () => {
  const cards = element();
  const people = new People(cards, COLORS);
  for (const time of [0, 3, 6]) people.show([face(1, 0.75), face(2, 0.25)], time, null);
  assert.equal(cards.children[0].all("polygon").length, 2); // one stretch, two labels
  people.show([face(2, 0.25)], 9, null);
  people.show([face(2, 0.25)], 12, null);
  assert.ok(!cards.children[0].classList.contains("fer-away"));
  people.show([face(2, 0.25)], 15, null);
  assert.equal(cards.children.length, 1);
});

test("of a crowd four have a card, and all a number that stays", () => {
  const cards = element();
  const people = new People(cards, COLORS);
  const crowd = [7, 8, 9, 10, 11].map((track) => face(track, 0.6));
  people.show(crowd, 1, null);
  assert.equal(cards.children.length, 4);
  assert.deepEqual(crowd.map(({ track }) => people.numberOf(track)), [1, 2, 3, 4, 5]);
  for (let time = 1.5; time < 6; time += 0.5) people.show(crowd.slice(1), time, null);
  assert.deepEqual([8, 11].map((track) => people.numberOf(track)), [2, 5]);
  people.show([...crowd.slice(1), face(12, 0.6)], 6.1, null);
  assert.equal(cards.children.length, 4); // there was room for the fifth
  assert.equal(people.numberOf(12), 1); // a number that is free
});

test("one card is open, and another one on demand or when its person leaves", () => {
  const cards = element();
  const people = new People(cards, COLORS);
  const open = () => cards.children.map((card) => !card.querySelector(".fer-now").hidden);
  people.show([face(1, 0.6), face(2, 0.6)], 1, null);
  assert.deepEqual(open(), [true, false]);
  people.open(2);
  assert.deepEqual(open(), [false, true]);
  const expanded = cards.children.map(
    (card) => card.querySelector(".fer-pick").attributes["aria-expanded"],
  );
  assert.deepEqual(expanded, ["false", "true"]);
  for (let time = 1.5; time < 6; time += 0.5) people.show([face(1, 0.6)], time, null);
  assert.deepEqual(open(), [true]);
});

test("one who is gone takes neither number nor room from one who is there", () => {
  const cards = element();
  const people = new People(cards, COLORS);
  people.show([face(1, 0.6)], 1, null);
  people.show([face(2, 0.6)], 1.5, null); // the same person to the eye, another to the tracker
  assert.equal(people.numberOf(2), 2);
  people.show([face(2, 0.6)], 2, null);
  people.show([face(2, 0.6)], 2.4, null);
  assert.equal(people.numberOf(2), null);
  const open = cards.children.map((card) => !card.querySelector(".fer-now").hidden);
  assert.deepEqual(open, [false, true]);
  const alone = cards.children.map((card) => card.classList.contains("fer-alone"));
  assert.deepEqual(alone, [false, true]);
});

test("what is no face has a card without bars, and a note says why", () => {
  const cards = element();
  const people = new People(cards, COLORS);
  const none = { ...face(1, 0.6), caption: "no face", note: "Not a face.", no_face: true };
  people.show([none], 1, null);
  const [card] = cards.children;
  assert.equal(card.querySelector(".fer-verdict").textContent, "no face");
  assert.equal(card.querySelector(".fer-subdued").textContent, "Not a face.");
  assert.ok(card.querySelector(".fer-now").hidden);
  people.show([{ ...face(1, 0.6), note: "" }], 1.1, null);
  assert.ok(!card.querySelector(".fer-now").hidden);
});
