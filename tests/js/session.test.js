import assert from "node:assert/strict";
import { test } from "node:test";

import { noteRefusals, unanswered } from "../../fer_cbam/serve/assets/session.mjs";

test("the status of the last question is told, and of nothing else", async () => {
  let answer = null;
  const page = {
    fetch: async () => {
      if (answer === null) throw new TypeError("no network");
      return { ok: answer < 400, status: answer };
    },
  };
  noteRefusals(page);
  const ask = async (status, path = "/gradio_api/component_server/") => {
    answer = status;
    await page.fetch(`http://host${path}`).catch(() => {});
    return unanswered();
  };
  assert.match(await ask(413), /413/);
  assert.match(await ask(404, "/gradio_api/heartbeat/x"), /413/);
  assert.match(await ask(503, "/gradio_api/upload?upload_id=1"), /Many people/);
  assert.match(await ask(200), /does not answer/);
  assert.match(await ask(500), /500/);
  assert.match(await ask(null), /Does it still run/);
  assert.equal((await page.fetch("http://host/x").catch((error) => error)).message, "no network");
});
