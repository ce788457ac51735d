/** Why a hit is a hit: what its score is made of, and where on the photos. */

import * as api from "./api.js";
import { announce, button, h, setStyle } from "./dom.js";
import { known, number, t } from "./i18n/index.js";
import { photoOf } from "./photos.js";
import { hasPhoto, NEUTRAL, toOptions } from "./state.js";

// Less of the score than this rounds to nothing.
const NOTHING = 0.005;

/**
 * What is known about the answer's hits, asked for once for all of them when the first one is wanted: it costs the
 * server as much again as a search without a photo.
 *
 * @param {any} app
 * @returns {{of: (id: string) => Promise<any>, where: (id: string) => Promise<any>}} `of`: WhyModel or `null`; `where`:
 *   HeatmapModel. Both reject with what `api` rejects with.
 */
export function explanations(app) {
  let asked = null;
  const photo = () => (app.state.question.kind === "photo" ? photoOf(app.state.question.key).blob : null);

  async function ask(state, k) {
    const options = { ...toOptions(state, { k }), facet_limit: 1, why: true };
    const { hits } = await api.search(state.question, photo(), options, {});
    return new Map(hits.map((hit) => [hit.item_id, hit.why]));
  }

  function of(id) {
    const { answer, state } = app;
    if (asked?.answer !== answer) {
      const own = { answer, found: ask(state, answer.hits.length) };
      own.found.catch(() => asked === own && (asked = null)); // the next one who wants to know asks again
      asked = own;
    }
    return asked.found.then((found) => found.get(id) ?? null);
  }

  function where(id) {
    const { question, emphasis, region } = app.state;
    const options = { hit: id };
    if (emphasis !== NEUTRAL) options.emphasis = emphasis;
    if (hasPhoto(question)) options.region = region;
    return api.heatmap(question, photo(), options);
  }
  return { of, where };
}

/**
 * The disclosure of one card.
 *
 * @param {any} hit HitModel.
 * @param {{app: any, title: string, onToggle: (open: boolean) => void}} props
 * @returns {{button: HTMLElement, panel: HTMLElement, update: () => void}}
 */
export function whyView(hit, { app, title, onToggle }) {
  const id = hit.item_id;
  const panelId = `why-${Math.random().toString(36).slice(2)}`;
  const parts = h("div", { class: "why-parts" });
  const status = h("p", { class: "why-status muted", role: "status" });
  const legend = h("p", { class: "why-legend", hidden: true },
    h("span", { text: t("why.little") }), h("span", { class: "why-ramp", "aria-hidden": "true" }), h("span", { text: t("why.most") }));
  const where = button({
    label: t("why.where"), kind: "small why-where", "aria-pressed": "false", "data-testid": "why-where", "data-key": `where:${id}`,
    onClick: () => (isShown() ? app.showHeat(null) : look()),
  });
  const panel = h("div", { id: panelId, class: "why", role: "group", "aria-label": t("why.of", { title }), "data-testid": "why-panel", hidden: true }, parts, where, legend, status);
  const toggle = h("button", {
    type: "button", class: "why-toggle", "aria-expanded": "false", "aria-controls": panelId, "aria-label": t("why.of", { title }), "data-testid": "why", "data-key": `why:${id}`,
    text: t("why"), on: { click: () => open(panel.hidden) },
  });
  let told = null;
  let looking = false;
  const isShown = () => app.heat?.id === id;

  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    open(false);
    toggle.focus();
  });

  function open(wanted) {
    panel.hidden = !wanted;
    toggle.setAttribute("aria-expanded", String(wanted));
    onToggle(wanted);
    if (!wanted && isShown()) app.showHeat(null);
    if (wanted) tell();
  }

  async function tell() {
    const { answer } = app;
    if (told === answer || !answer) return;
    told = answer;
    status.textContent = parts.childElementCount ? "" : t("loading");
    try {
      const why = await app.explanations.of(id);
      if (told !== answer) return;
      parts.replaceChildren(...(why ? rows(why) : []));
      status.textContent = why ? "" : t("why.none");
    } catch (error) {
      if (told !== answer) return;
      told = null;
      status.textContent = wordsFor(error);
    }
  }

  async function look() {
    if (looking) return;
    const { answer } = app;
    looking = true;
    status.textContent = "";
    update();
    try {
      const maps = await app.explanations.where(id);
      if (app.answer === answer && !panel.hidden) {
        app.showHeat({ id, maps });
        status.textContent = wordsOn(maps);
        announce(status.textContent || t("why.where.done"));
      }
    } catch (error) {
      status.textContent = wordsFor(error);
    } finally {
      looking = false;
      update();
    }
  }

  function update() {
    const shown = isShown();
    where.setAttribute("aria-pressed", String(shown));
    where.setAttribute("aria-busy", String(looking));
    where.firstElementChild.textContent = t(looking ? "why.where.loading" : shown ? "why.where.hide" : "why.where");
    // What is read begins with what is seen.
    where.setAttribute("aria-label", `${where.firstElementChild.textContent}: ${title}`);
    legend.hidden = !shown;
    if (!panel.hidden && app.status === "ready") tell();
  }
  return { button: toggle, panel, update };
}

/** Bars for what the likeness is made of, their sum, and what the ranking added. */
function rows({ similarity, contributions, category, rerank }) {
  const most = Math.max(similarity, ...Object.values(contributions), NOTHING);
  const name = (part) => (known(`why.part.${part}`) ? t(`why.part.${part}`) : part);
  const bar = (part, value) => {
    const fill = h("span", { class: `why-fill why-${part}` });
    setStyle(fill, { width: `${(100 * Math.max(0, value)) / most}%` });
    return h("div", { class: "why-row" }, h("dt", { text: name(part) }), h("dd", {}, h("span", { class: "why-bar", "aria-hidden": "true" }, fill), share(value)));
  };
  const added = (what, value) => Math.abs(value) >= NOTHING && h("p", { class: "why-added", text: t(what, { share: share(value, "exceptZero") }) });
  return [
    h("dl", { class: "why-list" }, Object.entries(contributions).map(([part, value]) => bar(part, value)),
      h("div", { class: "why-row why-sum" }, h("dt", { text: t("why.sum") }), h("dd", { text: share(similarity) }))),
    added(category > 0 ? "why.category.same" : "why.category.other", category) || h("p", { class: "why-added", text: t("why.category.none") }),
    added("why.rerank", rerank),
  ].filter(Boolean);
}

const share = (value, signDisplay = "auto") => number(Math.round(value * 100) / 100 || 0, { style: "percent", signDisplay });

const wordsFor = (error) => (error.kind === "busy" ? t("busy.text") : error.kind === "offline" ? t("offline.text") : error.detail || t("error.other"));

/** What is missing of the maps; nothing where both are there. */
function wordsOn({ query, hit }) {
  if (!query && !hit) return t("why.where.gone");
  return [query, hit].every((heat) => !heat || heat.fall === 0) ? t("why.where.nothing") : "";
}
