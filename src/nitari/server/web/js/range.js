/** Choosing from one number to another: two thumbs on one line, and two fields. */

import { debounce, h, setStyle } from "./dom.js";
import { t } from "./i18n/index.js";

/**
 * A range control.
 *
 * @param {{name: string, label: string, low: number, high: number, gte?: number, lte?: number,
 *          format: (value: number) => string, onChange: (choice: {gte?: number, lte?: number}|null) => void}} props
 *   `low` and `high` are the bounds, `gte` and `lte` what is chosen; `null` is reported where all is chosen again.
 * @returns {HTMLElement}
 */
export function rangeControl({ name, label, low, high, gte, lte, format, onChange }) {
  const whole = Number.isInteger(low) && Number.isInteger(high) && high - low > 4;
  const [floor, ceil] = high - low > 4 ? [Math.floor(low), Math.ceil(high)] : [low, high];
  const step = whole || high - low > 20 ? 1 : (ceil - floor) / 100;
  let from = clamp(gte ?? floor, floor, ceil);
  let to = clamp(lte ?? ceil, floor, ceil);
  const report = debounce(() => {
    const choice = { ...(from > floor && { gte: from }), ...(to < ceil && { lte: to }) };
    onChange(Object.keys(choice).length ? choice : null);
  }, 300);

  const thumb = (end, text) => h("input", {
    type: "range", class: "range-thumb", min: String(floor), max: String(ceil), step: String(step), "data-key": `range-${name}-${end}`,
    "aria-label": text, on: { input: () => take(end, Number(thumbs[end].value)) },
  });
  const field = (end, text) => h("label", { class: "range-field" },
    h("span", { class: "sr-only", text }),
    h("input", {
      type: "number", class: "input", inputmode: "decimal", min: String(floor), max: String(ceil), step: "any", "data-key": `field-${name}-${end}`,
      on: { change: (event) => {
        const typed = event.target.value.trim() === "" ? NaN : Number(event.target.value);
        take(end, Number.isFinite(typed) ? typed : end === "from" ? floor : ceil);
      } },
    }));
  const texts = { from: t("range.from", { name: label }), to: t("range.to", { name: label }) };
  const thumbs = { from: thumb("from", texts.from), to: thumb("to", texts.to) };
  const fields = { from: field("from", texts.from), to: field("to", texts.to) };
  const line = h("div", { class: "range-line" }, h("div", { class: "range-fill" }), thumbs.from, thumbs.to);

  function take(end, value) {
    if (end === "from") from = clamp(value, floor, to);
    else to = clamp(value, from, ceil);
    paint();
    report();
  }

  function paint() {
    const share = (value) => (ceil > floor ? (value - floor) / (ceil - floor) : 0);
    setStyle(line, { "--from": String(share(from)), "--to": String(share(to)) });
    thumbs.from.value = String(from);
    thumbs.to.value = String(to);
    thumbs.from.setAttribute("aria-valuetext", format(from));
    thumbs.to.setAttribute("aria-valuetext", format(to));
    fields.from.lastElementChild.value = String(+from.toFixed(2));
    fields.to.lastElementChild.value = String(+to.toFixed(2));
    // Where both thumbs lie at the right end, the left one has to be on top, or nothing can be moved any more.
    thumbs.from.classList.toggle("on-top", share(from) > 0.5);
  }
  paint();
  return h("div", { class: "range" }, line,
    h("div", { class: "range-fields" }, fields.from, h("span", { class: "range-dash", "aria-hidden": "true", text: "–" }), fields.to));
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
