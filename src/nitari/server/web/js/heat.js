/** Heat maps over photos: which parts make two products alike. */

import { h, setStyle } from "./dom.js";
import { t } from "./i18n/index.js";

// Viridis (van der Walt and Smith, 2015) in three stops, dark to light, so that it can be read without seeing hues; what
// is cold lets the photo through.
const STOPS = [[68, 1, 84], [33, 145, 140], [253, 231, 37]];
const COLD = 0.12;

/**
 * A map as an element that fills its place: a canvas of one pixel a patch, smoothed by the browser.
 *
 * @param {{rows: number, cols: number, values: number[][], box: number[]}} heat HeatModel.
 * @param {string} label What it shows, for those who do not see it.
 * @returns {HTMLElement}
 */
export function heatLayer({ rows, cols, values }, label) {
  const canvas = h("canvas", { class: "heat", role: "img", "aria-label": `${label} ${whereInWords(values)}`, "data-testid": "heat", width: String(cols), height: String(rows) });
  const context = canvas.getContext("2d");
  const image = context.createImageData(cols, rows);
  values.flat().forEach((value, at) => image.data.set(colorOf(value), at * 4));
  context.putImageData(image, 0, 0);
  return canvas;
}

/**
 * Put a layer in its place, in shares of the element around it; parts beyond it are cut off by that element.
 *
 * @param {HTMLElement} layer
 * @param {number[]} box `[x1, y1, x2, y2]`.
 */
export function placeLayer(layer, [x1, y1, x2, y2]) {
  const percent = (share) => `${(share * 100).toFixed(3)}%`;
  setStyle(layer, { left: percent(x1), top: percent(y1), width: percent(x2 - x1), height: percent(y2 - y1) });
}

function colorOf(value) {
  const place = value * (STOPS.length - 1);
  const low = Math.min(STOPS.length - 2, Math.floor(place));
  const mixed = STOPS[low].map((part, at) => part + (STOPS[low + 1][at] - part) * (place - low));
  return [...mixed, value < COLD ? 0 : 255 * (0.3 + 0.5 * value)];
}

/** Where the hottest patch is, in thirds of the photo. */
function whereInWords(values) {
  const flat = values.flat();
  const best = flat.indexOf(Math.max(...flat));
  const third = (at, count) => Math.min(2, Math.floor((3 * (at + 0.5)) / count));
  const [row, col] = [Math.floor(best / values[0].length), best % values[0].length];
  return t(`why.at.${third(row, values.length)}${third(col, values[0].length)}`);
}
