// @ts-check

/** A refusal of the server. */
export class LeydenError extends Error {
  /**
   * @param {number} status
   * @param {{ code: string, message: string, details: import("../index.d.ts").Detail[] }} told
   * @param {Headers} headers
   */
  constructor(status, told, headers) {
    super(`${status} ${told.code}: ${told.message}`);
    this.name = "LeydenError";
    this.status = status;
    this.code = told.code;
    this.details = told.details;
    this.requestId = headers.get("X-Request-ID") ?? "";
    const seconds = Number(headers.get("Retry-After") ?? "0");
    /** In milliseconds; 0 when the server did not say. */
    this.retryAfter = Number.isFinite(seconds) ? seconds * 1000 : 0;
  }
}

/**
 * Makes an error of a reply, in whichever of the façades' words it is.
 *
 * @param {Response} response
 */
export async function refusal(response) {
  const { status, headers } = response;
  const text = await response.text().catch(() => ""); // the status says enough
  return new LeydenError(status, told(text) ?? { code: String(status), message: response.statusText, details: [] }, headers);
}

/** @param {string} text */
function told(text) {
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    return null; // a proxy's page
  }
  if (body === null || typeof body !== "object") return null;
  const { error } = body;
  if (error !== null && typeof error === "object") {
    return { code: String(error.code), message: String(error.message), details: error.details ?? [] };
  }
  if (typeof error === "string") {
    return { code: error, message: String(body.error_description ?? ""), details: [] };
  }
  return { code: String(body.code ?? ""), message: String(body.message ?? body.detail ?? ""), details: body.errors ?? [] };
}
