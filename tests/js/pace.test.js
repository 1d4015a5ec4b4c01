import assert from "node:assert/strict";
import { test } from "node:test";

import { Pace } from "../../fer_cbam/serve/assets/pace.mjs";

// A frame that is asked for and shown after so many ms.
function shown(pace, taken, latency) {
  pace.asked();
  pace.ended();
  assert.ok(pace.replaces(taken));
  pace.shown(taken, taken + latency);
}

test("where answers are quick two frames are on their way, never three", () => {
  const pace = new Pace();
  pace.asked();
  assert.ok(pace.mayAsk(0));
  pace.asked();
  assert.ok(!pace.mayAsk(0));
  pace.ended();
  assert.ok(pace.mayAsk(0));
});

test("where answers are slow one is", () => {
  const pace = new Pace();
  for (let i = 0; i < 40; i++) shown(pace, 400 * i, 400); // the usual time comes close to 400
  pace.asked();
  assert.ok(!pace.mayAsk(20_300));
  pace.ended();
  assert.ok(pace.mayAsk(20_300));
});

test("after a failure it waits", () => {
  const pace = new Pace();
  pace.wait(100, 1000);
  assert.ok(!pace.mayAsk(1099));
  assert.ok(pace.mayAsk(1100));
});

test("an older frame never replaces a newer one", () => {
  const pace = new Pace();
  assert.ok(pace.replaces(20));
  assert.ok(!pace.replaces(10));
  assert.ok(pace.replaces(30));
});

test("the rate is that of the last two seconds, with the median latency", () => {
  const pace = new Pace();
  assert.equal(pace.rate(), null);
  shown(pace, 0, 90);
  assert.equal(pace.rate(), null);
  for (const [taken, latency] of [[3000, 50], [3100, 40], [3200, 200]]) shown(pace, taken, latency);
  // Shown at 3050, 3140 and 3400: two steps in 350 ms.
  assert.deepEqual(pace.rate(), { fps: 2000 / 350, latency: 50 });
});
