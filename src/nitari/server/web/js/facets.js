/** Filters: each attribute's values with their counts, prices as a range, and what is chosen as chips. */

import { facetValues } from "./api.js";
import { button, h, icon, keepFocus, setStyle } from "./dom.js";
import { attributeName, attributeValue, money, number, t } from "./i18n/index.js";
import { rangeControl } from "./range.js";
import { FACET_VALUES, toFilter } from "./state.js";

const SHOWN = 7;
const SEARCHABLE = 12;
const OPEN_AT_FIRST = 3;
// Colors as cloth has them; what is not here is looked up in CSS's names.
const SHADES = {
  beige: "#dccfb4", black: "#1a1b1e", blue: "#2f5fc4", brown: "#7a5236", burgundy: "#7a1f35", camel: "#c19a6b", charcoal: "#3d4248", cream: "#f6eed6",
  darkwash: "#2c3e5e", denim: "#4a6a94", gray: "#8d9096", green: "#2f7d4f", grey: "#8d9096", indigo: "#31408a", lavender: "#b7a6dc", lightwash: "#a9c1d9",
  lilac: "#c8a2c8", mint: "#a8dcc4", mustard: "#d0a02c", navy: "#1f2a4d", olive: "#6f7140", orange: "#e0853a", pink: "#e89bb0", purple: "#7a4fa8",
  red: "#c4302f", rose: "#e0748d", rust: "#a8502c", sand: "#d8c5a0", taupe: "#8b7d70", teal: "#1f7f82", wine: "#6b1f33", yellow: "#efcd48",
};

/**
 * The filter panel.
 *
 * @param {any} app
 * @returns {{element: HTMLElement, update: () => void}}
 */
export function facetPanel(app) {
  const list = h("div", { class: "facets" });
  const clear = button({ label: t("filters.clear"), kind: "link", "data-key": "clear-filters", onClick: () => app.change({ filters: {} }) });
  const element = h("section", { class: "filters", "aria-labelledby": "filters-title" },
    h("div", { class: "filters-head" }, h("h2", { id: "filters-title", class: "section-title", tabindex: "-1", text: t("filters.title") }), clear),
    list);
  /** @type {Map<string, {open?: boolean, all?: boolean, find?: string, values?: any[], readFor?: number, bounds?: [number, number]}>} */
  const memory = new Map();

  function update() {
    const facets = app.answer?.facets;
    clear.hidden = Object.keys(app.state.filters).length === 0;
    element.hidden = !facets;
    if (!facets) return;
    let shown = 0;
    const views = facets.map((facet) => {
      const mind = memory.get(facet.name) ?? {};
      memory.set(facet.name, mind);
      const chosen = app.state.filters[facet.name];
      const range = isRange(facet, chosen);
      const view = range ? rangeView(app, facet, mind, chosen) : valuesView(app, facet, mind, chosen, update);
      if (!view) return null;
      return disclosure(facet.name, chosen, view, mind, shown++ < OPEN_AT_FIRST || range);
    });
    keepFocus(list, () => list.replaceChildren(...views.filter(Boolean)));
    element.hidden = shown === 0;
  }
  return { element, update };
}

function disclosure(name, chosen, view, mind, openAtFirst) {
  const count = !chosen ? 0 : "values" in chosen ? chosen.values.length : 1;
  const details = h("details", { class: "facet", "data-testid": "facet", "data-name": name, open: mind.open ?? (openAtFirst || count > 0) },
    h("summary", { class: "facet-title", "data-key": `facet-${name}` },
      h("span", { text: attributeName(name) }),
      count > 0 && h("span", { class: "count-dot" }, h("span", { class: "sr-only", text: t("filters.chosen") }), " ", number(count)),
      icon("chevron")),
    h("div", { class: "facet-body", role: "group", "aria-label": attributeName(name) }, view));
  details.addEventListener("toggle", () => (mind.open = details.open));
  return details;
}

const isRange = (facet, chosen) =>
  (chosen && !("values" in chosen)) || (facet.low !== null && facet.high !== null && facet.values.every(({ value }) => typeof value === "number"));

function rangeView(app, facet, mind, chosen) {
  const [low, high] = mind.bounds ?? [Infinity, -Infinity];
  // Bounds only ever widen: a line whose ends move under the thumb cannot be aimed at.
  mind.bounds = [
    Math.min(low, facet.low ?? Infinity, chosen?.gte ?? Infinity),
    Math.max(high, facet.high ?? -Infinity, chosen?.lte ?? -Infinity),
  ];
  if (!(mind.bounds[1] > mind.bounds[0])) return null;
  return rangeControl({
    name: facet.name, label: attributeName(facet.name), low: mind.bounds[0], high: mind.bounds[1], gte: chosen?.gte, lte: chosen?.lte,
    format: (value) => amount(app, facet.name, value),
    onChange: (choice) => app.change({ filters: withChoice(app.state.filters, facet.name, choice) }),
  });
}

function valuesView(app, facet, mind, chosen, update) {
  const picked = chosen?.values ?? [];
  // Counts of an earlier answer: shown until those of this one are there.
  if (mind.all && mind.readFor !== app.answers) readAll(app, facet, mind).then(() => mind.values && update());
  const values = [...(mind.values ?? facet.values)];
  const fresh = new Map(facet.values.map(({ value, count }) => [value, count]));
  for (const value of picked) if (!values.some((one) => one.value === value)) values.unshift({ value, count: fresh.get(value) ?? 0 });
  // One value that everything has is no choice.
  if (values.length === 0 || (values.length === 1 && picked.length === 0)) return null;
  const list = h("ul", { class: "facet-values" });
  const toggle = (value, on) => {
    const next = on ? [...picked, value] : picked.filter((one) => one !== value);
    app.change({ filters: withChoice(app.state.filters, facet.name, next.length ? { values: next } : null) });
  };
  const fill = () => {
    const wanted = (mind.find ?? "").trim().toLowerCase();
    const found = values.filter(({ value }) => !wanted || attributeValue(facet.name, value).toLowerCase().includes(wanted));
    const some = mind.all || wanted ? found : found.filter(({ value }, at) => at < SHOWN || picked.includes(value));
    list.replaceChildren(...some.map((one) => valueRow(facet.name, one, picked.includes(one.value), toggle)),
      ...(some.length ? [] : [h("li", { class: "muted facet-none", text: t("filters.no-value") })]));
  };
  fill();
  const find = mind.all && values.length > SEARCHABLE && h("input", {
    type: "search", class: "input facet-find", "data-key": `find-${facet.name}`, value: mind.find ?? "",
    placeholder: t("filters.find"), "aria-label": t("filters.find.in", { name: attributeName(facet.name) }),
    on: { input: (event) => ((mind.find = event.target.value), fill()) },
  });
  const more = values.length > SHOWN && button({
    label: mind.all ? t("filters.fewer") : t("filters.more"), kind: "link", "data-key": `all-${facet.name}`, "aria-expanded": String(Boolean(mind.all)),
    onClick: async () => {
      mind.all = !mind.all;
      mind.find = "";
      if (!mind.all) mind.values = undefined;
      if (mind.all) await readAll(app, facet, mind);
      update();
    },
  });
  return [find, list, more];
}

/** Get the values beyond those that came with the answer, where there are more. */
async function readAll(app, facet, mind) {
  mind.readFor = app.answers;
  if (facet.values.length < FACET_VALUES) return;
  try {
    mind.values = (await facetValues(facet.name, toFilter(app.state.filters))).facets[0].values;
  } catch {
    // Those that came with the answer have to do.
  }
}

function valueRow(name, { value, count }, checked, toggle) {
  const label = attributeValue(name, value);
  const cut = label.lastIndexOf(" › ");
  const box = h("input", { type: "checkbox", class: "check", checked, "data-key": `${name}=${value}`, on: { change: (event) => toggle(value, event.target.checked) } });
  return h("li", {},
    h("label", { class: `facet-value ${count === 0 && !checked ? "is-empty" : ""}` }, box, swatch(name, value),
      h("span", { class: "facet-label" }, cut > 0 && h("span", { class: "facet-path", text: `${label.slice(0, cut)} › ` }), cut > 0 ? label.slice(cut + 3) : label),
      h("span", { class: "facet-count" }, number(count), h("span", { class: "sr-only", text: ` ${t("filters.products")}` }))));
}

function swatch(name, value) {
  if (!/colou?r/.test(name) || typeof value !== "string") return null;
  const word = value.toLowerCase().replace(/[^a-z]/g, "");
  const color = SHADES[word] ?? (CSS.supports("color", word) ? word : null);
  const dot = h("span", { class: `swatch ${color ? "" : "is-unknown"}`, "aria-hidden": "true" });
  if (color) setStyle(dot, { "background-color": color });
  return dot;
}

/**
 * The chosen filters as chips, each of which takes its own away.
 *
 * @param {any} app
 * @returns {HTMLElement[]}
 */
export function chips(app) {
  const chip = (key, text, next) => h("button", {
    type: "button", class: "chip", "data-testid": "chip", "data-key": `chip-${key}`, "aria-label": t("filters.remove", { name: text }),
    on: { click: () => app.change({ filters: next }) },
  }, h("span", { text }), icon("close"));
  return Object.entries(app.state.filters).flatMap(([name, choice]) => {
    if ("values" in choice) {
      return choice.values.map((value) => {
        const rest = choice.values.filter((one) => one !== value);
        const text = `${attributeName(name)}: ${attributeValue(name, value)}`;
        return chip(`${name}=${value}`, text, withChoice(app.state.filters, name, rest.length ? { values: rest } : null));
      });
    }
    const [low, high] = [choice.gte, choice.lte].map((end) => end !== undefined && amount(app, name, end));
    const text = low && high ? t("chip.between", { low, high }) : low ? t("chip.from", { low }) : t("chip.to", { high });
    return [chip(name, `${attributeName(name)}: ${text}`, withChoice(app.state.filters, name, null))];
  });
}

function withChoice(filters, name, choice) {
  const { [name]: _, ...rest } = filters;
  return choice ? { ...rest, [name]: choice } : rest;
}

function amount(app, name, value) {
  return /price|cost/.test(name) ? money(value, app.currency) : number(value, { maximumFractionDigits: 2 });
}
