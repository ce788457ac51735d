/** What each step of the history showed, and how far down: going back is there at once, and where one left it. */

import { debounce } from "./dom.js";

const MOST = 30;
/** @type {Map<number, {answer: any, scroll: number}>} */
const visits = new Map();
let count = Date.now();

/**
 * A number for a new step.
 *
 * @returns {number}
 */
export const newVisit = () => ++count;

/**
 * The step that the page is at.
 *
 * @returns {number|undefined}
 */
export const visit = () => history.state?.visit;

/**
 * Remember what this step shows.
 *
 * @param {any} answer
 */
export function keepVisit(answer) {
  const id = visit();
  if (id === undefined) return;
  visits.set(id, { answer, scroll: visits.get(id)?.scroll ?? scrollY });
  if (visits.size > MOST) visits.delete(visits.keys().next().value);
}

/**
 * What this step showed when it was left.
 *
 * @returns {{answer: any, scroll: number}|undefined}
 */
export const recallVisit = () => visits.get(visit());

/** Keep scroll positions from now on, in the browser's stead: it does not know when the results are there. */
export function followScrolling() {
  history.scrollRestoration = "manual";
  const note = debounce((id, at) => {
    if (visits.has(id)) visits.get(id).scroll = at;
  }, 80);
  addEventListener("scroll", () => note(visit(), scrollY), { passive: true });
}
