/** How long the answer took, stage by stage. */

import { h, setStyle } from "./dom.js";
import { known, number, t } from "./i18n/index.js";

const ORDER = ["fetch", "decode", "regions", "embed", "search"];

/**
 * The disclosure.
 *
 * @param {Record<string, number>} timing Milliseconds by stage, `total` among them.
 * @param {number} roundTrip Milliseconds as seen from here.
 * @returns {HTMLElement}
 */
export function timingView(timing, roundTrip) {
  const stages = stagesOf(timing);
  const total = timing.total ?? stages.reduce((sum, [, ms]) => sum + ms, 0);
  const label = (stage) => (known(`stage.${stage}`) ? t(`stage.${stage}`) : stage);
  const bar = h("div", { class: "timing-bar", "aria-hidden": "true" });
  for (const [stage, ms] of stages) {
    const part = h("span", { class: `timing-part stage-${stage}` });
    setStyle(part, { "flex-grow": String(100 * Math.max(ms / total, 1 / 200) || 1) });
    bar.append(part);
  }
  const row = (stage, ms, kind) =>
    h("tr", { class: kind },
      h("th", { scope: "row" }, h("span", { class: `timing-dot stage-${stage}`, "aria-hidden": "true" }), label(stage)),
      h("td", { text: milliseconds(ms) }));
  const details = h("details", { class: "timing", "data-testid": "timing" },
    h("summary", { class: "timing-summary", "data-key": "timing" },
      h("span", { class: "sr-only", text: t("timing.label") }), ` ${milliseconds(total)}`),
    h("div", { class: "timing-panel", tabindex: "-1" },
      bar,
      h("table", { class: "timing-table" },
        h("caption", { class: "sr-only", text: t("timing.caption") }),
        h("tbody", {},
          stages.map(([stage, ms]) => row(stage, ms, "")),
          row("total", total, "timing-total"),
          row("round-trip", roundTrip, "timing-round")))));
  const close = () => (details.open = false);
  details.addEventListener("focusout", (event) => event.relatedTarget && !details.contains(event.relatedTarget) && close());
  details.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !details.open) return;
    close();
    details.firstElementChild.focus();
  });
  return details;
}

function stagesOf(timing) {
  const names = Object.keys(timing).filter((name) => name !== "total");
  const place = (name) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  return names.sort((a, b) => place(a) - place(b)).map((name) => [name, timing[name]]);
}

function milliseconds(ms) {
  const digits = ms < 1 ? 2 : ms < 10 ? 1 : 0;
  return t("milliseconds", { ms: number(ms, { maximumFractionDigits: digits }) });
}
