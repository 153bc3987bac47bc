// Against a real server: LEYDEN_URL and LEYDEN_KEY say which. It keeps a webhook at
// 127.0.0.1, and has simulated chargers that charge. `go test ./cmd/leyden -run NPM` starts one.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { apiKey, clientCredentials, Leyden, LeydenError, verifyWebhook, WebhookError } from "../src/index.js";

const { LEYDEN_URL: url = "", LEYDEN_KEY: key = "" } = process.env;
const skip = url === "" ? "LEYDEN_URL is not set" : false;

/** Loses every third reply after the server has sent it. */
function lossy() {
  let calls = 0;
  /** @type {typeof fetch} */
  const lossyFetch = async (input, init) => {
    const response = await fetch(input, init);
    if (++calls % 3 !== 0) return response;
    await response.body?.cancel();
    throw new TypeError("lost by the test");
  };
  return { fetch: lossyFetch, calls: () => calls };
}

const admin = () => new Leyden(url, { credential: apiKey(key) });

test("a POST is carried out once, though replies are lost", { skip }, async () => {
  const line = lossy();
  const leyden = new Leyden(url, { credential: apiKey(key), fetch: line.fetch });
  const added = Array.from({ length: 7 }, (_, i) => `NPM-${i}`);
  for (const idTag of added) {
    assert.equal((await leyden.post("/api/v1/id-tags", { body: { idTag } })).idTag, idTag);
  }
  assert.ok(line.calls() > added.length, "no reply was lost");
  const listed = [];
  for await (const { idTag } of leyden.all("/api/v1/id-tags", { query: { limit: 2 } })) listed.push(idTag);
  assert.deepEqual(listed.filter((t) => t.startsWith("NPM-")).sort(), added);
});

test("a key of one's own is carried out once", { skip }, async () => {
  const leyden = admin();
  const options = { body: { idTag: "OWN-KEY" }, idempotencyKey: "npm-own-key" };
  const first = await leyden.send("POST", "/api/v1/id-tags", options);
  const again = await leyden.send("POST", "/api/v1/id-tags", options);
  assert.deepEqual(again.body, first.body);
  assert.equal(again.headers.get("Idempotent-Replayed"), "true");
});

test("a refusal has code, details and request id", { skip }, async () => {
  const leyden = admin();
  const missing = leyden.get("/api/v1/transactions/{transactionId}", { path: { transactionId: 999999999 } });
  await assert.rejects(missing, (e) => e instanceof LeydenError && e.status === 404 && e.code === "NOT_FOUND" && e.requestId !== "");
  const invalid = leyden.post("/api/v1/id-tags", { body: { idTag: "" } });
  await assert.rejects(invalid, (e) => e instanceof LeydenError && e.code === "VALIDATION_ERROR" && e.details[0]?.field === "idTag");
  const stranger = new Leyden(url, { credential: apiKey("wrong") }).get("/api/v1/transactions");
  await assert.rejects(stranger, (e) => e instanceof LeydenError && e.status === 401);
});

test("client credentials get one token, and another when it was revoked", { skip }, async () => {
  const made = await admin().post("/api/v1/auth/clients", { body: { name: "npm", scopes: ["transactions:read"] } });
  /** @type {string[]} */
  const tokens = [];
  let asked = 0;
  /** @type {typeof fetch} */
  const counting = (input, init) => {
    if (String(input).endsWith("/oauth2/token")) asked++;
    tokens.push(new Headers(init?.headers).get("Authorization")?.replace("Bearer ", "") ?? "");
    return fetch(input, init);
  };
  const leyden = new Leyden(url, { credential: clientCredentials(made.clientId, made.clientSecret), fetch: counting });
  await Promise.all([1, 2, 3].map(() => leyden.get("/api/v1/transactions")));
  assert.equal(asked, 1);
  const basic = btoa(`${made.clientId}:${made.clientSecret}`);
  const body = { token: /** @type {string} */ (tokens.at(-1)) };
  await new Leyden(url).post("/oauth2/revoke", { body, headers: { Authorization: `Basic ${basic}` } });
  await leyden.get("/api/v1/transactions");
  assert.equal(asked, 2);
  const wrong = new Leyden(url, { credential: clientCredentials(made.clientId, "wrong") });
  await assert.rejects(wrong.get("/api/v1/transactions"), (e) => e instanceof LeydenError && e.code === "invalid_client");
});

test("follow tells every change once, over lost replies and from any place", { skip }, async () => {
  const line = lossy();
  const leyden = new Leyden(url, { credential: apiKey(key), fetch: line.fetch, retries: 0 });
  let waited = 0;
  const onRetry = () => void waited++;
  /** @param {number} after @param {number} many */
  async function seqs(after, many) {
    const got = [];
    for await (const { seq } of leyden.follow({ after, query: { limit: 3 }, onRetry })) {
      got.push(seq);
      if (got.length === many) break;
    }
    return got;
  }
  const all = await seqs(0, 20);
  const { events } = await admin().get("/api/v1/changes", { query: { after: "0", limit: 20 } });
  const expected = events.map((/** @type {{ seq: number }} */ e) => e.seq);
  assert.deepEqual(all, expected);
  assert.deepEqual(await seqs(all[4], 15), all.slice(5));
  assert.ok(waited > 0, "no reply was lost");
});

test("follow ends quietly by its signal, and by a refusal", { skip }, async () => {
  const stop = new AbortController();
  const end = (await admin().get("/api/v1/changes", { query: { after: "latest" } })).lastSeq;
  let first = 0;
  for await (const { seq } of admin().follow({ after: end, signal: stop.signal })) {
    first ||= seq;
    stop.abort();
  }
  assert.ok(first > end);
  const stranger = new Leyden(url, { credential: apiKey("wrong") }).follow({ after: 0 });
  await assert.rejects(stranger.next(), (e) => e instanceof LeydenError && e.status === 401);
});

test("the stream goes on where it was cut", { skip }, async () => {
  const places = /** @type {(string | null)[]} */ ([]);
  /** Cuts every stream after its second piece. @type {typeof fetch} */
  const cutting = async (input, init) => {
    places.push(new URL(String(input)).searchParams.get("after"));
    const response = await fetch(input, init);
    let pieces = 0;
    const cut = new TransformStream({
      transform(piece, out) {
        if (++pieces > 2) return out.error(new TypeError("cut by the test"));
        out.enqueue(piece);
      },
    });
    return new Response(response.body?.pipeThrough(cut), response);
  };
  const leyden = new Leyden(url, { credential: apiKey(key), fetch: cutting });
  const seqs = [];
  for await (const change of leyden.stream({ after: 0 })) {
    assert.match(change.event, /^transaction\./);
    seqs.push(change.seq);
    if (places.length > 2) break;
  }
  const events = await wholeFeed(/** @type {number} */ (seqs.at(-1)));
  assert.deepEqual(seqs, events.filter((e) => e.event.startsWith("transaction.")).map((e) => e.seq));
});

/** @param {number} upTo */
async function wholeFeed(upTo) {
  const all = [];
  for await (const change of admin().follow({ after: 0, query: { limit: 1000 } })) {
    if (change.seq > upTo) break;
    all.push(change);
    if (change.seq === upTo) break;
  }
  return all;
}

test("a webhook is proved to come from the server", { skip }, async (t) => {
  const received = new Promise((resolve) => {
    const server = createServer(async (request, response) => {
      const parts = [];
      for await (const part of request) parts.push(part);
      response.writeHead(204).end();
      resolve({ headers: request.headers, body: Buffer.concat(parts) });
    });
    server.listen(0, "127.0.0.1", () => void register(server));
    t.after(() => server.close());
  });
  let secret = "";
  /** @param {import("node:http").Server} server */
  async function register(server) {
    const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
    const body = { url: `http://127.0.0.1:${port}/hook`, events: ["transaction.stopped"] };
    const webhook = await admin().post("/api/v1/webhooks", { body: /** @type {any} */ (body) });
    secret = webhook.secret;
    t.after(() => admin().delete("/api/v1/webhooks/{webhookId}", { path: { webhookId: webhook.id } }));
    await admin().post("/api/v1/webhooks/{webhookId}/test", { path: { webhookId: webhook.id } });
  }
  const { headers, body } = await received;
  const other = `whsec_${btoa("another secret of 24 byte")}`;
  assert.ok((await verifyWebhook(headers, body, [other, secret])).event);
  const refused = (/** @type {Promise<unknown>} */ p) => assert.rejects(p, (e) => e instanceof WebhookError);
  await refused(verifyWebhook(headers, body, other));
  await refused(verifyWebhook(headers, `${body} `, secret));
  await refused(verifyWebhook({}, body, secret));
  await refused(verifyWebhook(headers, body, secret, { now: new Date(Date.now() + 3_600_000) }));
});

test("a file comes as it is", { skip }, async () => {
  const response = await admin().raw("/api/v1/id-tags", { query: { format: "csv" } });
  assert.match(response.headers.get("Content-Type") ?? "", /^text\/csv/);
  assert.match(await response.text(), /idTag/);
});
