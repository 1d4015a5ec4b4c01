import assert from "node:assert/strict";
import { test } from "node:test";

import "./fake_dom.js";
import {
  Pieces,
  RATE,
  openMicrophone,
  refusal,
} from "../../fer_cbam/serve/assets/microphone.mjs";
import { Resampler, inBase64 } from "../../fer_cbam/serve/assets/resampler.mjs";

const wave = (hertz, rate, count) =>
  Float32Array.from({ length: count }, (_, n) => Math.sin((2 * Math.PI * hertz * n) / rate));

function resampled(samples, from, to, piece) {
  const resampler = new Resampler(from, to);
  const made = [];
  for (let at = 0; at < samples.length; at += piece) {
    made.push(...resampler.push(samples.subarray(at, at + piece)));
  }
  return made;
}

const worst = (found, expected, from) =>
  Math.max(...found.slice(from).map((value, n) => Math.abs(value - expected[n + from])));

for (const rate of [44100, 48000, 16000, 8000]) {
  test(`a tone at ${rate} samples a second is the same tone at 16000`, () => {
    const found = resampled(wave(440, rate, rate / 2), rate, RATE, 128);
    const expected = wave(440, RATE, RATE / 2);
    assert.ok(found.length > RATE / 2 - 60 && found.length <= RATE / 2);
    assert.ok(worst(found, expected, 50) < 0.01, `${worst(found, expected, 50)}`);
  });
}

test("what 16000 samples cannot hold is taken away, and not folded down", () => {
  const found = resampled(wave(12000, 48000, 24000), 48000, RATE, 128).slice(50);
  assert.ok(Math.max(...found.map(Math.abs)) < 0.01);
});

test("pieces of any size come to the same", () => {
  const samples = wave(300, 44100, 9000);
  const [small, large] = [100, 9000].map((piece) => resampled(samples, 44100, RATE, piece));
  assert.equal(small.length, large.length);
  assert.ok(worst(small, large, 0) < 1e-6);
});

test("half seconds are handed on", () => {
  const heard = [];
  const pieces = new Pieces(RATE, (samples) => heard.push(samples));
  const sound = wave(200, RATE, 2.2 * RATE);
  for (let at = 0; at < sound.length; at += 128) pieces.add(sound.subarray(at, at + 128));
  assert.deepEqual(heard.map(({ length }) => length), [8000, 8000, 8000, 8000]);
  const joined = heard.flatMap((piece) => [...piece]);
  assert.ok(worst(joined, sound, 50) < 0.01);
});

test("samples as base64 of 16 bits, the lower byte first", () => {
  const bytes = Buffer.from(inBase64(Float32Array.of(0, 1, -1, 0.5, 2)), "base64");
  const found = [0, 1, 2, 3, 4].map((n) => bytes.readInt16LE(2 * n));
  assert.deepEqual(found, [0, 32767, -32767, 16384, 32767]);
});

test("a microphone that is refused is explained, and the face is still read", async () => {
  for (const name of ["NotAllowedError", "NotFoundError", "NotReadableError"]) {
    assert.match(refusal({ name }), /face is read alone/);
  }
  assert.equal(refusal(new Error("x")), "The microphone cannot be used: x.");
  await assert.rejects(openMicrophone(() => {}), /only to pages on https or localhost/);
});
