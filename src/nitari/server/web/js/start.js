/** Where a search begins: a photo, a link, or one of the shop's own products. */

import * as api from "./api.js";
import { framedPhoto, priceView } from "./card.js";
import { button, h, icon } from "./dom.js";
import { t } from "./i18n/index.js";
import { message } from "./messages.js";

const STARTERS = 12;

/**
 * The start view.
 *
 * @param {any} app
 * @param {{choose: () => void, take: () => void}} inputs
 * @returns {{element: HTMLElement, focus: () => void}}
 */
export function startView(app, inputs) {
  const heading = h("h1", { class: "hero-title", tabindex: "-1", text: t("start.title") });
  const zone = h("div", { class: "drop-zone", "data-testid": "drop-zone", on: { click: (event) => event.target.closest("button") || inputs.choose() } },
    h("div", { class: "drop-art", "aria-hidden": "true" }, h("span", { class: "drop-frame back" }), h("span", { class: "drop-frame front" }, icon("photo"))),
    h("p", { class: "drop-text", text: t("start.drop") }),
    h("div", { class: "drop-buttons" },
      button({ label: t("start.choose"), icon: "photo", kind: "primary", onClick: inputs.choose }),
      button({ label: t("start.take"), icon: "camera", onClick: inputs.take, "data-testid": "camera" })),
    h("p", { class: "drop-note muted", text: t("start.private") }));
  const starters = h("ul", { class: "starters" });
  const starting = h("section", { class: "starting", "aria-labelledby": "starting-title" },
    h("h2", { id: "starting-title", class: "section-title", text: t("start.from") }), starters);
  const element = h("div", { class: "start" },
    h("div", { class: "hero" }, heading, h("p", { class: "hero-text", text: t("start.text") }), zone, linkForm(app)), starting);
  if (app.collection.items === 0) starting.replaceChildren(h("div", { id: "starting-title" }, message({ icon: "photo", title: t("empty.title"), text: t("empty.text"), testid: "empty", heading: "h2" })));
  else fill(app, starting, starters);
  return { element, focus: () => heading.focus({ preventScroll: true }) };
}

function linkForm(app) {
  const input = h("input", {
    id: "photo-link", class: "input", type: "url", inputmode: "url", placeholder: "https://", autocomplete: "off", spellcheck: "false",
    "aria-describedby": "link-problem",
  });
  const problem = h("p", { id: "link-problem", class: "field-problem", role: "alert" });
  const submit = (event) => {
    event.preventDefault();
    const url = input.value.trim();
    if (/^https?:\/\/[^\s/]+/i.test(url)) return app.searchUrl(url);
    problem.textContent = t("start.link.wrong");
    input.setAttribute("aria-invalid", "true");
    input.focus();
  };
  return h("form", { class: "link-form", novalidate: true, on: { submit } },
    h("label", { for: "photo-link", class: "sr-only", text: t("start.link") }),
    h("div", { class: "field-with-icon" }, icon("link"), input,
      button({ label: t("start.search"), type: "submit", kind: "small" })),
    problem);
}

async function fill(app, starting, starters) {
  starters.replaceChildren(...Array.from({ length: STARTERS / 2 }, () => h("li", { class: "starter skeleton", "aria-hidden": "true" }, h("div", { class: "frame is-loading" }))));
  let items = [];
  try {
    ({ items } = await api.sample(STARTERS));
  } catch {
    // To begin with a product is an offer: without it, the rest of this view is as good.
  }
  starting.hidden = items.length === 0;
  starters.replaceChildren(...items.filter(({ images }) => images.length > 0).map((item) => {
    app.known.set(item.item_id, item);
    return h("li", { class: "starter" }, h("button", {
      type: "button", class: "starter-button", "data-testid": "starter", "data-id": item.item_id,
      "aria-label": t("card.more.of", { title: item.title || t("card.untitled") }), on: { click: () => app.searchItem(item) },
    },
    framedPhoto({ path: item.images[0].photo, alt: "" }),
    h("span", { class: "starter-text", "aria-hidden": "true" },
      h("span", { class: "starter-title", text: item.title || t("card.untitled") }), priceView(item.attributes))));
  }));
}
