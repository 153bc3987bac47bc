import type { components, paths } from "./schema.d.ts";

export type { components, operations, paths } from "./schema.d.ts";

type Schemas = components["schemas"];

/** A transaction as the ledger has it. Unknown is null. */
export type Transaction = Schemas["V1Transaction"];
/** A change: what the feed, the stream and webhooks tell. */
export type Event = Schemas["V1Event"];
/** Which field is wrong, and why. */
export type Detail = Schemas["Detail"];

export type Method = "get" | "post" | "put" | "patch" | "delete";

type Operation<M extends Method, P extends keyof paths> = Exclude<paths[P][M], undefined>;

/** The paths that have a method. */
export type PathOf<M extends Method> = {
  [P in keyof paths]: paths[P][M] extends { responses: unknown } ? P : never;
}[keyof paths];

type Content<T> = T extends { content: infer C } ? C[keyof C] : undefined;
type JSONOf<T> = T extends { content: { "application/json": infer J } } ? J : undefined;
type Given<T> = T extends { parameters: infer G } ? G : never;

/** What a reply of an operation has as its body. */
export type Reply<M extends Method, P extends keyof paths> =
  Operation<M, P> extends { responses: infer R } ? JSONOf<R[keyof R]> : never;

type InQuery<Q> = { [K in keyof Q]: Q[K] extends string | undefined ? Q[K] | Date : Q[K] };

type QueryOption<G> = G extends { query: infer Q }
  ? { query: InQuery<Q> }
  : G extends { query?: infer Q }
    ? { query?: InQuery<Exclude<Q, undefined>> }
    : unknown;
type PathOption<G> = G extends { path: infer V } ? { path: { [K in keyof V]: V[K] | number } } : unknown;
type BodyOption<O> = O extends { requestBody: infer B extends { content: unknown } }
  ? { body: Content<B> }
  : O extends { requestBody?: infer B }
    ? { body?: Content<Exclude<B, undefined>> }
    : unknown;

export interface Common {
  headers?: Record<string, string>;
  /** Sent with a POST instead of a random one, so that it is carried out once even if the program starts anew. */
  idempotencyKey?: string;
  /** An ETag: the change is refused with 412 if the resource has another one by now. */
  ifMatch?: string;
  signal?: AbortSignal;
}

/** What an operation can be, and must be, asked with. */
export type Options<M extends Method, P extends keyof paths> = Common &
  QueryOption<Given<Operation<M, P>>> &
  PathOption<Given<Operation<M, P>>> &
  BodyOption<Operation<M, P>>;

/** The options, which may be left out if none is required. */
export type Args<M extends Method, P extends keyof paths> = {} extends Options<M, P> ? [options?: Options<M, P>] : [options: Options<M, P>];

type Listed<T> = T extends readonly (infer I)[]
  ? I
  : T extends { pagination: unknown }
    ? { [K in keyof T]: T[K] extends readonly (infer I)[] ? I : never }[keyof T]
    : never;

/** The paths of lists. */
export type ListPath = { [P in PathOf<"get">]: [Listed<Reply<"get", P>>] extends [never] ? never : P }[PathOf<"get">];

export interface Server {
  base: string;
  fetch: typeof fetch;
}

/** Says who asks. */
export interface Credential {
  headers(server: Server): Promise<Record<string, string>>;
  /** Called when the server refused what headers said, before it is asked for once more. */
  renew?(): void;
}

/** The credential of an API key. */
export function apiKey(key: string): Credential;
/** The credential of an access token. */
export function bearer(token: string): Credential;
/** The credential of an OAuth2 client: it gets an access token when it needs one, and a new one before that ends. */
export function clientCredentials(id: string, secret: string, scopes?: string[]): Credential;

export interface Settings {
  credential?: Credential;
  fetch?: typeof fetch;
  /** How often a request is sent again that failed for a moment [4]. */
  retries?: number;
}

export interface Following<Query> {
  /** The seq of the last change that was dealt with. */
  after?: number | "latest";
  query?: Omit<Query, "after" | "wait">;
  /** Ends it quietly. */
  signal?: AbortSignal;
  /** Told of every failure that is waited out. */
  onRetry?: (error: unknown) => void;
}

type QueryOf<P extends keyof paths> = Operation<"get", P> extends { parameters: { query?: infer Q } } ? Exclude<Q, undefined> : never;

/**
 * A server. Methods throw LeydenError for a refusal and TypeError for a lost connection. A request
 * is sent again after a lost connection or when the server says Retry-After, of a minute at most, if it is a GET
 * or a POST: each POST carries an Idempotency-Key, so that it is carried out once. What was refused
 * with 429 was not carried out, and is sent again whatever it is.
 */
export class Leyden {
  constructor(base: string, settings?: Settings);
  get<P extends PathOf<"get">>(path: P, ...args: Args<"get", P>): Promise<Reply<"get", P>>;
  post<P extends PathOf<"post">>(path: P, ...args: Args<"post", P>): Promise<Reply<"post", P>>;
  put<P extends PathOf<"put">>(path: P, ...args: Args<"put", P>): Promise<Reply<"put", P>>;
  patch<P extends PathOf<"patch">>(path: P, ...args: Args<"patch", P>): Promise<Reply<"patch", P>>;
  delete<P extends PathOf<"delete">>(path: P, ...args: Args<"delete", P>): Promise<Reply<"delete", P>>;
  /** The same with status and headers: ETag, Location, Idempotent-Replayed. */
  send<U extends Uppercase<Method>, P extends PathOf<Lowercase<U>>>(
    method: U,
    path: P,
    ...args: Args<Lowercase<U>, P>
  ): Promise<{ status: number; headers: Headers; body: Reply<Lowercase<U>, P> }>;
  /** A reply as it comes: a CSV or Parquet file, a stream. It was not refused. */
  raw<P extends PathOf<"get">>(path: P, ...args: Args<"get", P>): Promise<Response>;
  /** All of a list, over its cursors. */
  all<P extends ListPath>(path: P, ...args: Args<"get", P>): AsyncGenerator<Listed<Reply<"get", P>>, void, undefined>;
  /**
   * Every change after a place in the feed, as it comes, also over restarts of the server, until
   * the signal. Who keeps the seq of the last change that it dealt with misses none. A refusal
   * ends it; 410 says that the server has forgotten changes after that place.
   */
  follow(following?: Following<QueryOf<"/api/v1/changes">>): AsyncGenerator<Event, void, undefined>;
  /** The changes of transactions in one lasting reply (server-sent events); else as follow. Without after, from now on. */
  stream(following?: Following<QueryOf<"/api/v1/transactions/stream">>): AsyncGenerator<Event, void, undefined>;
}

/** A refusal. */
export class LeydenError extends Error {
  readonly status: number;
  /** Such as NOT_FOUND; of OAuth2, such as invalid_client. */
  readonly code: string;
  readonly details: Detail[];
  readonly requestId: string;
  /** In milliseconds; 0 when the server did not say. */
  readonly retryAfter: number;
}

/** A webhook that was not signed with any of the secrets, or not lately. */
export class WebhookError extends Error {}

/**
 * Proves that a webhook was signed with one of the secrets, whsec_…, at most tolerance seconds ago
 * [300], and returns its event. body is what came, byte by byte. Keep the old secret beside the new
 * one while a rotation lasts.
 */
export function verifyWebhook(
  headers: Headers | Record<string, string | string[] | undefined>,
  body: string | Uint8Array,
  secrets: string | string[],
  options?: { now?: Date; tolerance?: number },
): Promise<Event>;
