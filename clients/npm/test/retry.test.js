// What needs no server: replies that a test makes up.
import assert from "node:assert/strict";
import { test } from "node:test";
import { clientCredentials, Leyden, LeydenError, verifyWebhook, WebhookError } from "../src/index.js";

/**
 * Answers with one status after the other, and keeps what it was asked.
 *
 * @param {[status: number, headers?: Record<string, string>][]} replies
 */
function answering(...replies) {
  const asked = /** @type {{ url: string, init: any }[]} */ ([]);
  /** @type {typeof globalThis.fetch} */
  const fetch = async (url, init) => {
    asked.push({ url: String(url), init });
    const [status, headers] = replies.shift() ?? [200];
    return new Response(status === 200 ? "{}" : "<h1>busy</h1>", { status, headers });
  };
  return { asked, leyden: new Leyden("http://leyden.example/", { fetch }) };
}

const busy = /** @type {[number, Record<string, string>]} */ ([503, { "Retry-After": "0.01" }]);

test("a POST is sent again with the same key, when the server says when", async () => {
  const { asked, leyden } = answering(busy, [429, { "Retry-After": "0.01" }]);
  await leyden.post("/api/v1/id-tags", { body: { idTag: "A1" } });
  const keys = asked.map(({ init }) => init.headers["Idempotency-Key"]);
  assert.equal(keys.length, 3);
  assert.match(keys[0], /^[0-9a-f]{32}$/);
  assert.equal(new Set(keys).size, 1);
});

test("what may have been carried out is not sent again, nor what nothing mends", async () => {
  const patch = answering(busy);
  const change = patch.leyden.patch("/api/v1/id-tags/{idTag}", { path: { idTag: "A/1 ü" }, body: {} });
  await assert.rejects(change, (e) => e instanceof LeydenError && e.status === 503 && e.retryAfter === 10);
  assert.equal(patch.asked.length, 1);
  assert.equal(patch.asked[0].url, "http://leyden.example/api/v1/id-tags/A%2F1%20%C3%BC");
  const limited = answering([429, { "Retry-After": "0.01" }]);
  await limited.leyden.patch("/api/v1/id-tags/{idTag}", { path: { idTag: "A1" }, body: {} });
  assert.equal(limited.asked.length, 2);
  const gone = answering([500]);
  await assert.rejects(gone.leyden.get("/healthz"), (e) => e instanceof LeydenError && e.code === "500");
  assert.equal(gone.asked.length, 1);
});

test("a server that wants to be left alone for long is not waited for in secret", async () => {
  const { asked, leyden } = answering([429, { "Retry-After": "3600" }]);
  const added = leyden.post("/api/v1/id-tags", { body: { idTag: "A1" }, signal: AbortSignal.timeout(2000) });
  await assert.rejects(added, (e) => e instanceof LeydenError && e.status === 429 && e.retryAfter === 3_600_000);
  assert.equal(asked.length, 1);
});

test("waiting ends by the signal", async () => {
  const { leyden } = answering([503, { "Retry-After": "30" }]);
  const stop = new AbortController();
  const asked = leyden.get("/healthz", { signal: stop.signal });
  setImmediate(() => stop.abort());
  await assert.rejects(asked, { name: "AbortError" });
});

test("a query is written as the server reads it", async () => {
  const { asked, leyden } = answering();
  const from = new Date(0);
  await leyden.get("/api/v1/transactions", { query: { status: ["active", "stopping"], startedFrom: from, idTag: undefined } });
  assert.equal(asked[0].url, "http://leyden.example/api/v1/transactions?status=active%2Cstopping&startedFrom=1970-01-01T00%3A00%3A00.000Z");
});

test("after the signal no change is told any more", async () => {
  const changes = [1, 2, 3].map((seq) => ({ seq, event: "transaction.started", data: {} }));
  const text = changes.map((change) => `id: ${change.seq}\ndata: ${JSON.stringify(change)}\n\n`).join("");
  /** @type {typeof globalThis.fetch} */
  const fetch = async (url) => new Response(String(url).includes("stream") ? text : JSON.stringify({ events: changes, lastSeq: 3 }));
  const leyden = new Leyden("http://leyden.example/", { fetch });
  for (const way of /** @type {const} */ (["follow", "stream"])) {
    const stop = new AbortController();
    const told = [];
    for await (const { seq } of leyden[way]({ after: 0, signal: stop.signal })) {
      told.push(seq);
      if (seq === 2) stop.abort();
    }
    assert.deepEqual(told, [1, 2], way);
  }
});

test("a server that falls silent is asked again", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let asked = 0;
  /** @type {typeof globalThis.fetch} */
  const fetch = (_, init) => {
    if (++asked > 1) return Promise.resolve(Response.json({ events: [{ seq: 7 }], lastSeq: 7 }));
    return new Promise((_, reject) => {
      init?.signal?.addEventListener("abort", () => reject(init.signal?.reason));
    });
  };
  const told = new Leyden("http://leyden.example/", { fetch }).follow({ after: 6 }).next();
  for (let second = 0; second < 80; second++) {
    t.mock.timers.tick(1000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(asked, 2);
  assert.equal((await told).value?.seq, 7);
});

test("no redirect takes the key elsewhere", async () => {
  const { asked, leyden } = answering([302, { Location: "http://elsewhere.example/" }]);
  await assert.rejects(leyden.post("/api/v1/id-tags", { body: {} }), (e) => e instanceof LeydenError && e.status === 302);
  assert.deepEqual(asked.map(({ init }) => init.redirect), ["manual"]);
  const places = /** @type {(string | undefined)[]} */ ([]);
  /** @type {typeof globalThis.fetch} */
  const issuer = async (_, init) => {
    places.push(init?.redirect);
    return new Response("", { status: 307, headers: { Location: "http://elsewhere.example/" } });
  };
  const client = new Leyden("http://leyden.example", { fetch: issuer, credential: clientCredentials("id", "secret") });
  await assert.rejects(client.get("/v2/transactions"), (e) => e instanceof LeydenError && e.status === 307);
  assert.deepEqual(places, ["manual"]);
});

test("a secret that was never set proves nothing", async () => {
  const body = "{}";
  const stamp = String(Math.floor(Date.now() / 1000));
  for (const [secret, ok] of /** @type {[string, boolean][]} */ ([["c2hvcnQ=", false], ["a2tra2tra2tra2tra2tra2tra2tra2tra2s=", true]])) {
    const key = await crypto.subtle.importKey("raw", Buffer.from(secret, "base64"), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    const mac = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(`evt_1.${stamp}.${body}`));
    const headers = { "webhook-id": "evt_1", "webhook-timestamp": stamp, "webhook-signature": `v1,${Buffer.from(mac).toString("base64")}` };
    const verified = verifyWebhook(headers, body, `whsec_${secret}`);
    await (ok ? verified : assert.rejects(verified, WebhookError));
  }
  await assert.rejects(verifyWebhook({ "webhook-id": "e", "webhook-timestamp": stamp }, body, ""), WebhookError);
});
