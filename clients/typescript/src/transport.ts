/** `fetch` with patience: asks a busy server again, and gives up on a silent one. */

import { NitariError } from "./errors.js";

export interface TransportOptions {
  /** In place of the global `fetch`. */
  fetch?: (request: Request) => Promise<Response>;
  /** Further tries where the server is too busy and says when to come back. Default 3. */
  retries?: number;
  /** Longest time for an answer, milliseconds. Default 60,000. */
  timeoutMs?: number;
}

const LONGEST_WAIT_MS = 30_000;

/** Only 503 and 429 with `Retry-After` are tried again: nothing was begun then, so that any request may be repeated. */
export function patientFetch(options: TransportOptions): (request: Request) => Promise<Response> {
  const { retries = 3, timeoutMs = 60_000 } = options;
  const send = options.fetch ?? ((request) => globalThis.fetch(request));
  return async (request) => {
    for (let tries = 0; ; tries++) {
      const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]);
      // A request's body can be read only once, so each try but the last sends a copy.
      const copy = new Request(tries < retries ? request.clone() : request, { signal });
      let response: Response;
      try {
        response = await send(copy);
      } catch (cause) {
        if (request.signal.aborted) throw cause; // the caller's own doing
        throw new NitariError(`no answer to ${request.method} ${request.url}: ${reason(cause)}`, {
          status: 0,
          code: "unreachable",
          remedy: "see whether a Nitari server runs there",
          cause,
        });
      }
      const wait = retryAfterMs(response);
      if (wait === undefined || tries >= retries) return response;
      await response.body?.cancel();
      await pause(Math.max(wait, backoffMs(tries)));
    }
  };
}

function retryAfterMs(response: Response): number | undefined {
  const said = response.headers.get("Retry-After") ?? "";
  if ((response.status !== 503 && response.status !== 429) || !/^\d+$/.test(said)) return undefined;
  return Math.min(Number(said) * 1000, LONGEST_WAIT_MS);
}

/** Longer from try to try, and not the same for all clients that were turned away together. */
function backoffMs(tries: number): number {
  return Math.min(LONGEST_WAIT_MS, 250 * 2 ** tries) * (0.5 + Math.random() / 2);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function reason(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  return inner instanceof Error ? inner.message || inner.name : String(inner);
}
