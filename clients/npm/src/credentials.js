// @ts-check
import { refusal } from "./errors.js";

/** @type {typeof import("../index.d.ts").apiKey} */
export function apiKey(key) {
  return { headers: async () => ({ "X-API-Key": key }) };
}

/** @type {typeof import("../index.d.ts").bearer} */
export function bearer(token) {
  return { headers: async () => ({ Authorization: `Bearer ${token}` }) };
}

/** @type {typeof import("../index.d.ts").clientCredentials} */
export function clientCredentials(id, secret, scopes = []) {
  let held = { token: "", until: 0 };
  /** @type {Promise<typeof held> | null} */
  let issuing = null; // which all who need one wait for
  const basic = btoa(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`);

  /** @param {import("../index.d.ts").Server} server */
  async function issue({ base, fetch }) {
    const form = new URLSearchParams({ grant_type: "client_credentials" });
    if (scopes.length > 0) form.set("scope", scopes.join(" "));
    const headers = { Authorization: `Basic ${basic}` };
    const response = await fetch(`${base}/oauth2/token`, { method: "POST", headers, body: form, redirect: "manual" });
    if (!response.ok) throw await refusal(response);
    const got = await response.json();
    // A minute before it ends, or at half time if that is sooner.
    const life = Math.max(got.expires_in - 60, got.expires_in / 2) * 1000;
    return { token: String(got.access_token), until: Date.now() + life };
  }

  return {
    async headers(server) {
      if (Date.now() >= held.until) {
        issuing ??= issue(server).finally(() => {
          issuing = null;
        });
        held = await issuing;
      }
      return { Authorization: `Bearer ${held.token}` };
    },
    renew() {
      held = { token: "", until: 0 };
    },
  };
}
