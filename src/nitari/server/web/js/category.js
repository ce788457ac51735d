/** What the query was taken for, and what is to be done about it. */

import { h } from "./dom.js";
import { attributeValue, percent, t } from "./i18n/index.js";
import { CATEGORIES } from "./state.js";

/**
 * A note of the kind of product, with a choice: these first, only these, or any kind.
 *
 * @param {any} app
 * @returns {{element: HTMLElement, update: () => void}}
 */
export function categoryControl(app) {
  const name = h("span", { class: "guess-name" });
  const select = h("select", {
    class: "select guess-choice", "data-testid": "category", "data-key": "category", "aria-label": t("category.label"),
    on: { change: () => app.change({ category: select.value }) },
  }, CATEGORIES.map((value) => h("option", { value, text: t(`category.${value}`) })));
  const element = h("div", { class: "guess", "data-testid": "guess" }, name, select);
  // Where nothing is to be done about it the answer does not say it: then what was known before is shown.
  let guess = null;
  let guessFor = "";

  function update() {
    const { answer, state, status } = app;
    const key = JSON.stringify([state.question, state.region]);
    const other = key !== guessFor;
    guessFor = key;
    if (other || (status === "ready" && state.category === "boost")) guess = null;
    guess = answer?.category ?? guess;
    // Not while the answer is on its way: who is choosing would lose the focus.
    if (other || status !== "loading") element.hidden = !guess && state.category === "boost";
    name.textContent = guess ? t("category.is", { name: attributeValue("product_type", guess.value) }) : t("category.unknown");
    element.title = guess ? t("category.sure", { share: percent(guess.probability) }) : "";
    select.value = state.category;
  }
  return { element, update };
}
