// @ts-check

/**
 * Reads server-sent events of a body until it ends. An event without data has an id
 * all the same: the place to come back to.
 *
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<{ id: string | null, data: string }>}
 */
export async function* events(body) {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return; // what has no empty line after it is no event
      const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
      rest = /** @type {string} */ (blocks.pop());
      yield* blocks.map(event);
    }
  } finally {
    await reader.cancel().catch(() => {}); // it may be gone already
  }
}

/** @param {string} block */
function event(block) {
  /** @type {string | null} */
  let id = null;
  const data = [];
  for (const line of block.split("\n")) {
    const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
    if (name === "id") id = value;
    if (name === "data") data.push(value);
  }
  return { id, data: data.join("\n") };
}
