// @ts-check
import { events } from "./events.js";
import { LeydenError, refusal } from "./errors.js";
import { wait } from "./wait.js";

/**
 * @typedef {import("../index.d.ts").Settings} Settings
 * @typedef {import("../index.d.ts").Event} Event
 * @typedef {{ query?: any, path?: any, body?: any, headers?: Record<string, string>,
 *   idempotencyKey?: string, ifMatch?: string, signal?: AbortSignal }} Options
 * @typedef {{ after?: number | "latest", query?: any, signal?: AbortSignal, onRetry?: (error: unknown) => void }} Following
 */

const firstPause = 200; // ms
const longestPause = 15_000; // ms
const longestWait = 60_000; // ms: who is told to come back later than that learns so
const longPoll = 25; // seconds
const redirect = /** @type {const} */ ("manual"); // followed, it would take the key to another host
const silence = 45_000; // ms: three signs of life that did not come

/** What the server is asked through; index.d.ts has its types. */
export class Leyden {
  #base;
  #credential;
  #fetch;
  #retries;

  /**
   * @param {string} base
   * @param {Settings} [settings]
   */
  constructor(base, { credential, fetch = globalThis.fetch.bind(globalThis), retries = 4 } = {}) {
    new URL(base); // which throws for what is none
    this.#base = base.replace(/\/+$/, "");
    this.#credential = credential;
    this.#fetch = fetch;
    this.#retries = retries;
  }

  /** @param {string} path @param {Options} [options] */
  async get(path, options) {
    return (await this.send("GET", path, options)).body;
  }

  /** @param {string} path @param {Options} [options] */
  async post(path, options) {
    return (await this.send("POST", path, options)).body;
  }

  /** @param {string} path @param {Options} [options] */
  async put(path, options) {
    return (await this.send("PUT", path, options)).body;
  }

  /** @param {string} path @param {Options} [options] */
  async patch(path, options) {
    return (await this.send("PATCH", path, options)).body;
  }

  /** @param {string} path @param {Options} [options] */
  async delete(path, options) {
    return (await this.send("DELETE", path, options)).body;
  }

  /** @param {string} method @param {string} path @param {Options} [options] */
  send(method, path, options = {}) {
    return this.#again(method, path, options, async (response) => {
      const text = await response.text();
      return { status: response.status, headers: response.headers, body: text === "" ? undefined : JSON.parse(text) };
    });
  }

  /** @param {string} path @param {Options} [options] */
  raw(path, options = {}) {
    return this.#again("GET", path, options, async (response) => response);
  }

  /** @param {string} path @param {Options} [options] @returns {AsyncGenerator<any>} */
  async *all(path, options = {}) {
    let query = options.query;
    for (;;) {
      const { body, headers } = await this.send("GET", path, { ...options, query });
      yield* Array.isArray(body) ? body : /** @type {any[]} */ (Object.values(body).find(Array.isArray));
      const cursor = Array.isArray(body) ? linked(headers.get("Link")) : body.pagination.nextCursor;
      if (!cursor) return;
      query = { ...query, cursor };
      delete query.offset;
    }
  }

  /** @param {Following} [following] @returns {AsyncGenerator<Event>} */
  async *follow({ after, query, signal, onRetry } = {}) {
    const patience = new Patience(signal, onRetry);
    const asked = { wait: longPoll, ...query };
    while (!signal?.aborted) {
      const alive = new Watch(asked.wait * 1000 + silence, signal);
      let page;
      try {
        page = await this.get("/api/v1/changes", { query: { ...asked, after }, signal: alive.signal });
      } catch (error) {
        if (await patience.ends(error)) return;
        continue;
      } finally {
        alive.end();
      }
      patience.reset();
      for (const event of page.events) {
        yield event;
        if (signal?.aborted) return;
      }
      after = page.lastSeq;
    }
  }

  /** @param {Following} [following] @returns {AsyncGenerator<Event>} */
  async *stream({ after, query, signal, onRetry } = {}) {
    const patience = new Patience(signal, onRetry);
    let last = after === undefined ? null : String(after);
    while (!signal?.aborted) {
      const alive = new Watch(silence, signal);
      try {
        const place = last === null ? {} : { after: last };
        const response = await this.raw("/api/v1/transactions/stream", { query: { ...query, ...place }, signal: alive.signal });
        for await (const { id, data } of events(/** @type {ReadableStream<Uint8Array>} */ (response.body))) {
          alive.sign();
          patience.reset();
          last = id ?? last;
          if (data !== "") yield JSON.parse(data);
          if (signal?.aborted) return; // more of them may have come already
        }
        await patience.pause();
      } catch (error) {
        if (await patience.ends(error)) return;
      } finally {
        alive.end();
      }
    }
  }

  /**
   * Sends a request, again while that is safe and may help, and reads the reply.
   *
   * @template T
   * @param {string} method
   * @param {string} path
   * @param {Options} options
   * @param {(response: Response) => Promise<T>} read
   * @returns {Promise<T>}
   */
  async #again(method, path, options, read) {
    const { url, init } = this.#request(method, path, options);
    let renewed = false;
    for (let attempt = 0; ; attempt++) {
      try {
        const response = await this.#fetch(url, { ...init, headers: await this.#headers(init.headers) });
        if (!response.ok) throw await refusal(response);
        return await read(response);
      } catch (error) {
        if (error instanceof LeydenError && error.status === 401 && this.#credential?.renew && !renewed) {
          this.#credential.renew();
          renewed = true;
          continue;
        }
        const safe = method === "GET" || init.headers["Idempotency-Key"] !== undefined;
        if (options.signal?.aborted || attempt >= this.#retries || !worthwhile(error, safe)) throw error;
        const asked = error instanceof LeydenError ? error.retryAfter : 0;
        await wait(Math.max(firstPause * 2 ** attempt, asked), options.signal);
      }
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {Options} options
   */
  #request(method, path, { query = {}, path: values = {}, body, headers: own, idempotencyKey, ifMatch, signal }) {
    const filled = path.replace(/\{(\w+)\}/g, (_, name) => {
      if (values[name] === undefined) throw new TypeError(`${path}: path.${name} is missing`);
      return encodeURIComponent(String(values[name]));
    });
    /** @type {Record<string, string>} */
    const headers = { Accept: "application/json, */*;q=0.5" };
    const form = path.startsWith("/oauth2/");
    if (method === "POST" && !form) headers["Idempotency-Key"] = idempotencyKey ?? randomKey();
    if (ifMatch !== undefined) headers["If-Match"] = ifMatch;
    let content;
    if (body !== undefined) [headers["Content-Type"], content] = encoded(body, form);
    return { url: `${this.#base}${filled}${queryOf(query)}`, init: { method, headers: { ...headers, ...own }, body: content, signal, redirect } };
  }

  /** @param {Record<string, string>} headers */
  async #headers(headers) {
    const server = { base: this.#base, fetch: this.#fetch };
    return { ...headers, ...(await this.#credential?.headers(server)) };
  }
}

/** How long to go on trying when the server is not there for a moment: for ever. */
class Patience {
  #failed = 0;
  #signal;
  #onRetry;

  /**
   * @param {AbortSignal | undefined} signal
   * @param {((error: unknown) => void) | undefined} onRetry
   */
  constructor(signal, onRetry) {
    this.#signal = signal;
    this.#onRetry = onRetry;
  }

  reset() {
    this.#failed = 0;
  }

  /**
   * Pauses after a failure and says whether all ends quietly; throws what no waiting mends.
   *
   * @param {unknown} error
   */
  async ends(error) {
    if (this.#signal?.aborted) return true;
    if (error instanceof LeydenError ? error.status < 500 && error.status !== 429 : !lost(error)) throw error;
    this.#onRetry?.(error);
    await this.pause();
    return this.#signal?.aborted ?? false;
  }

  async pause() {
    const ms = Math.min(firstPause * 2 ** this.#failed++, longestPause);
    await wait(ms, this.#signal).catch(() => {}); // who waits looks at the signal
  }
}

/** Aborts when nothing signed for a while, or when the caller does. */
class Watch {
  #ms;
  #outer;
  #inner = new AbortController();
  #stop = () => this.#inner.abort(this.#outer?.reason);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {number} ms @param {AbortSignal | undefined} outer */
  constructor(ms, outer) {
    this.#ms = ms;
    this.#outer = outer;
    outer?.addEventListener("abort", this.#stop, { once: true });
    this.sign();
  }

  get signal() {
    return this.#inner.signal;
  }

  sign() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#inner.abort(new DOMException("nothing came", "TimeoutError")), this.#ms);
  }

  end() {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener("abort", this.#stop);
    this.#inner.abort();
  }
}

/**
 * What was refused before anything was done may always be sent again; what was lost
 * on its way, if it is carried out once however often it comes.
 *
 * @param {unknown} error
 * @param {boolean} safe
 */
function worthwhile(error, safe) {
  if (!(error instanceof LeydenError)) return safe && lost(error);
  return error.retryAfter > 0 && error.retryAfter <= longestWait && (safe || error.status === 429);
}

/**
 * fetch throws a TypeError for whatever befell the connection.
 *
 * @param {unknown} error
 */
function lost(error) {
  return error instanceof TypeError || (error instanceof DOMException && error.name === "TimeoutError");
}

/** @param {Record<string, any>} query */
function queryOf(query) {
  const values = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null) values.set(name, value instanceof Date ? value.toISOString() : String(value));
  }
  return values.size === 0 ? "" : `?${values}`;
}

/** @param {any} body @param {boolean} form @returns {[string, string]} */
function encoded(body, form) {
  if (form) return ["application/x-www-form-urlencoded", new URLSearchParams(body).toString()];
  return typeof body === "string" ? ["text/csv", body] : ["application/json", JSON.stringify(body)];
}

/** @param {string | null} link */
function linked(link) {
  const next = /<([^>]*)>;\s*rel="next"/.exec(link ?? "");
  return next ? new URL(next[1], "http://any").searchParams.get("cursor") : null;
}

function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}
