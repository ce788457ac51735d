/** One search at a time: the newest wins, earlier ones are aborted; pages are appended. */

import * as api from "./api.js";
import { photoOf } from "./photos.js";
import { PAGE, toOptions } from "./state.js";

/**
 * Runs searches.
 *
 * @returns {{run: (state: any, what: any) => Promise<any>, abort: () => void}}
 */
export function searches() {
  let controller = null;

  /**
   * @param {import("./state.js").State} state
   * @param {{facets?: string[], offset?: number, k?: number, onBusy: (seconds: number) => void}} what
   * @returns {Promise<{answer: any, roundTrip: number}>} Rejects with `AbortError` where a newer search began.
   */
  async function run(state, { facets = [], offset = 0, k = PAGE, onBusy }) {
    controller?.abort();
    controller = new AbortController();
    const { signal } = controller;
    const { question } = state;
    const photo = question.kind === "photo" ? photoOf(question.key).blob : null;
    const started = performance.now();
    const answer = await api.search(question, photo, toOptions(state, { facets, offset, k }), { signal, onBusy });
    return { answer, roundTrip: performance.now() - started };
  }
  return { run, abort: () => controller?.abort() };
}
