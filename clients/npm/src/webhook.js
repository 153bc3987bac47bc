// @ts-check

const leastSecret = 24; // bytes: less is a secret that was never set, or cut

/** A webhook that was not signed with any of the secrets, or not lately. */
export class WebhookError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(`webhook: ${message}`);
    this.name = "WebhookError";
  }
}

/** @type {typeof import("../index.d.ts").verifyWebhook} */
export async function verifyWebhook(headers, body, secrets, { now = new Date(), tolerance = 300 } = {}) {
  const id = header(headers, "webhook-id");
  const stamp = header(headers, "webhook-timestamp");
  if (!id || !/^\d{1,12}$/.test(stamp)) throw new WebhookError("webhook-id or webhook-timestamp is missing");
  const age = now.getTime() / 1000 - Number(stamp);
  if (Math.abs(age) > tolerance) throw new WebhookError(`it was signed ${Math.round(age)} seconds ago`);
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const signed = joined(new TextEncoder().encode(`${id}.${stamp}.`), bytes);
  const given = signatures(header(headers, "webhook-signature"));
  for (const secret of [secrets].flat()) {
    const key = await importKey(secret);
    for (const signature of given) {
      if (await crypto.subtle.verify("HMAC", key, signature, signed)) return JSON.parse(new TextDecoder().decode(bytes));
    }
  }
  throw new WebhookError("no signature fits");
}

/**
 * @param {Headers | Record<string, string | string[] | undefined>} headers
 * @param {string} name
 */
function header(headers, name) {
  if (headers instanceof Headers) return headers.get(name) ?? "";
  return String(headers[name] ?? "");
}

/**
 * @param {Uint8Array} a
 * @param {Uint8Array} b
 */
function joined(a, b) {
  const whole = new Uint8Array(a.length + b.length);
  whole.set(a);
  whole.set(b, a.length);
  return whole;
}

/** @param {string} text */
function signatures(text) {
  return text
    .split(" ")
    .filter((s) => s.startsWith("v1,"))
    .map((s) => decoded(s.slice("v1,".length)))
    .filter((s) => s !== null);
}

/** @param {string} secret */
function importKey(secret) {
  const key = decoded(secret.replace(/^whsec_/, ""));
  if (key === null || key.length < leastSecret) throw new WebhookError("the secret is not whsec_ with base64 of 24 bytes or more");
  return crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
}

/** @param {string} text */
function decoded(text) {
  try {
    return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  } catch {
    return null; // not base64
  }
}
