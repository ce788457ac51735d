/** What being alike means: from the same shape to the same color. */

import { button, h } from "./dom.js";
import { percent, t } from "./i18n/index.js";
import { slider } from "./slider.js";
import { NEUTRAL } from "./state.js";

/**
 * The slider, with a way back to its middle: a button, a double click, or Delete.
 *
 * @param {any} app
 * @returns {{element: HTMLElement, update: () => void}}
 */
export function emphasisControl(app) {
  const reset = button({ label: t("emphasis.reset"), icon: "retry", iconOnly: true, kind: "quiet small", "data-testid": "emphasis-reset", onClick: () => back() });
  const control = slider({
    id: "emphasis", max: 1, step: 0.05, "aria-label": t("emphasis.label"), "aria-describedby": "emphasis-hint", title: t("emphasis.hint"),
    read: () => app.state.emphasis, write: (emphasis) => app.change({ emphasis }, { push: false }),
    paint: (value, input) => {
      input.setAttribute("aria-valuetext", emphasisText(value));
      reset.classList.toggle("is-idle", value === NEUTRAL);
    },
  });
  const { input } = control;
  const back = () => {
    control.set(NEUTRAL);
    input.focus();
  };
  input.addEventListener("dblclick", back);
  input.addEventListener("keydown", (event) => {
    if (!["Delete", "Backspace"].includes(event.key)) return;
    event.preventDefault();
    back();
  });
  const end = (which) => h("span", { class: "emphasis-end", "aria-hidden": "true", text: t(`emphasis.${which}`) });
  const element = h("div", { class: "emphasis" },
    end("shape"), h("span", { class: "emphasis-line" }, input), end("color"), reset, h("span", { id: "emphasis-hint", class: "sr-only", text: t("emphasis.hint") }));
  return {
    element,
    update() {
      // Some models do not tell color from shape.
      element.hidden = !app.collection.emphasis;
      control.update();
    },
  };
}

function emphasisText(value) {
  if (value === NEUTRAL) return t("emphasis.middle");
  const share = percent(Math.abs(value - NEUTRAL) / NEUTRAL);
  return t(value < NEUTRAL ? "emphasis.more.shape" : "emphasis.more.color", { share });
}
