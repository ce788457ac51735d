/** The results: count, threshold, grouping, refinement, the grid, and more of it. */

import * as api from "./api.js";
import { resultCard } from "./card.js";
import { categoryControl } from "./category.js";
import { announce, button, h, icon, keepFocus } from "./dom.js";
import { emphasisControl } from "./emphasis.js";
import { chips } from "./facets.js";
import { percent, t } from "./i18n/index.js";
import { failure, message, nothingFound } from "./messages.js";
import { slider } from "./slider.js";
import { timingView } from "./timing.js";

const SKELETONS = 12;
const EAGER = 4;
// After so many pages by themselves, further ones come on request: whoever scrolls to the page's end shall get there.
const PAGES_BY_THEMSELVES = 4;

/**
 * The results panel.
 *
 * @param {any} app
 * @returns {{element: HTMLElement, update: () => void, focus: () => void}}
 */
export function resultsPanel(app) {
  const heading = h("h2", { id: "results-title", class: "results-title", tabindex: "-1", text: t("results.title") });
  const count = h("p", { class: "results-count" });
  const timing = h("div", { class: "results-timing" });
  const openFilters = button({ label: t("filters.title"), icon: "filter", kind: "small filters-open", onClick: () => app.openFilters(), "data-key": "open-filters" });
  const threshold = thresholdControl(app);
  const group = h("input", { type: "checkbox", class: "check", role: "switch", "data-testid": "group", on: { change: () => app.change({ group: group.checked }) } });
  const grouping = h("label", { class: "switch" }, group, h("span", { class: "switch-track", "aria-hidden": "true" }), h("span", { text: t("results.group") }));
  const tools = h("div", { class: "tools" }, openFilters, threshold.element, grouping);
  const emphasis = emphasisControl(app);
  const category = categoryControl(app);
  const likeness = h("div", { class: "likeness" }, emphasis.element, category.element);
  const refine = h("div", { class: "refine", hidden: true });
  const chosen = h("div", { class: "chips", hidden: true });
  const notice = h("p", { class: "notice", role: "status", hidden: true });
  const grid = h("ol", { class: "grid", role: "list", "aria-labelledby": "results-title" });
  const place = h("div", { class: "results-place" });
  const more = button({ label: t("results.more"), kind: "more-results", "data-testid": "load-more", "data-key": "more", onClick: () => app.loadMore() });
  const end = h("p", { class: "results-end muted" });
  const foot = h("div", { class: "results-foot" }, more, end);
  const element = h("section", { class: "results", "aria-labelledby": "results-title" },
    h("div", { class: "results-head" }, h("div", { class: "results-line" }, heading, count), timing), tools, likeness, chosen, refine, notice, grid, place, foot);
  /** @type {Map<string, ReturnType<typeof resultCard>>} */
  let cards = new Map();
  let shown = null;

  new IntersectionObserver(([entry]) => {
    if (entry.isIntersecting && app.answer?.more && app.pages < PAGES_BY_THEMSELVES) app.loadMore();
  }, { rootMargin: "600px" }).observe(foot);

  const showChosen = () => keepFocus(chosen, () => {
    const found = chips(app);
    const clear = found.length > 1 && button({ label: t("filters.clear"), kind: "link", onClick: () => app.change({ filters: {} }, { focus: "results" }) });
    chosen.replaceChildren(...found, ...(clear ? [clear] : []));
    chosen.hidden = found.length === 0;
  }, () => heading);

  function showGrid() {
    const { answer, status } = app;
    const waiting = status === "loading";
    grid.setAttribute("aria-busy", String(waiting));
    element.classList.toggle("is-waiting", waiting && Boolean(answer));
    if (!answer || status === "error") {
      cards = new Map();
      shown = null;
      grid.replaceChildren(...(waiting ? Array.from({ length: SKELETONS }, skeleton) : []));
      return;
    }
    if (answer === shown) return;
    shown = answer;
    const next = new Map();
    keepFocus(grid, () => {
      const elements = answer.hits.map((hit, at) => {
        const key = `${hit.item_id}\n${hit.thumbnail}\n${hit.box}`;
        const card = cards.get(key) ?? resultCard(hit, { app, eager: at < EAGER });
        next.set(key, card);
        return card.element;
      });
      // Appending a page must not move the cards before it: moved elements lose their focus and their loading.
      elements.forEach((card, at) => grid.children[at] === card || grid.insertBefore(card, grid.children[at] ?? null));
      while (grid.children.length > elements.length) grid.lastElementChild.remove();
      cards = next;
    }, () => (refine.hidden ? heading : refine.querySelector("button")));
  }

  function update() {
    const { answer, status, state } = app;
    threshold.update();
    emphasis.update();
    category.update();
    group.checked = state.group;
    // A catalog whose items are all of their own style has nothing to group.
    grouping.hidden = app.collection.groups === app.collection.items && !state.group;
    const filters = Object.keys(state.filters).length;
    openFilters.lastElementChild.textContent = filters ? t("filters.title.n", { n: filters }) : t("filters.title");
    showChosen();
    keepFocus(refine, () => showRefinement(app, refine), () => heading);
    showGrid();
    answer?.hits.forEach((hit) => cards.get(`${hit.item_id}\n${hit.thumbnail}\n${hit.box}`)?.update(state, hit));
    notice.hidden = app.busy === null;
    notice.textContent = app.busy === null ? "" : t("busy.waiting", { seconds: app.busy });
    const ready = answer && status === "ready";
    const found = answer?.hits.length ?? 0;
    heading.textContent = t(status === "error" || (ready && found === 0) ? "results.title.none" : "results.title");
    count.textContent = answer && status !== "error" ? countText(app) : "";
    if (ready && timing.dataset.seq !== String(app.answers)) {
      timing.dataset.seq = String(app.answers);
      const open = timing.querySelector("details")?.open ?? false;
      keepFocus(timing, () => timing.replaceChildren(timingView(answer.timing_ms, app.roundTrip)));
      timing.firstElementChild.open = open;
    }
    timing.hidden = !answer || status === "error";
    tools.hidden = status === "error" || app.collection?.items === 0;
    likeness.hidden = tools.hidden || (emphasis.element.hidden && category.element.hidden);
    if (status === "error") place.replaceChildren(failure(app.error, { question: state.question, onRetry: app.retry, onHome: app.home }));
    else if (app.collection?.items === 0) place.replaceChildren(emptyCatalog());
    else if (ready && found === 0) place.replaceChildren(nothingFound(app));
    else place.replaceChildren();
    more.hidden = !answer?.more || status !== "ready";
    more.disabled = app.loadingMore;
    more.lastElementChild.textContent = app.loadingMore ? t("results.loading") : t("results.more");
    end.textContent = ready && found > 0 && !answer.more ? t("results.end") : "";
  }
  return { element, update, focus: () => heading.focus({ preventScroll: true }) };
}

function countText({ answer, state }) {
  const found = answer.hits.length;
  if (found === 0) return "";
  if (state.minScore > 0) {
    return t(answer.more ? "results.count.close.more" : "results.count.close", { n: found, total: answer.total, score: percent(state.minScore) });
  }
  return t(state.group ? "results.count.styles" : "results.count", { n: answer.total });
}

/**
 * Tell screen readers what came.
 *
 * @param {any} app
 */
export function announceResults(app) {
  const [best] = app.answer.hits;
  if (!best) return announce(t(app.answer.total === 0 ? "nothing.filters.title" : "nothing.title"));
  announce(`${countText(app)} ${t("results.best", { title: best.title || t("card.untitled"), score: percent(best.score) })}`);
}

function thresholdControl(app) {
  const out = h("output", { class: "threshold-value", for: "threshold" });
  const { input, update } = slider({
    id: "threshold", max: 0.95, step: 0.01, read: () => app.state.minScore, write: (minScore) => app.change({ minScore }, { push: false }),
    paint: (value, shown) => {
      out.textContent = value > 0 ? t("threshold.at", { score: percent(value) }) : t("threshold.any");
      shown.setAttribute("aria-valuetext", out.textContent);
    },
  });
  return { element: h("div", { class: "threshold" }, h("label", { for: "threshold", text: t("threshold.label") }), input, out), update };
}

function showRefinement(app, refine) {
  const { liked, disliked } = app.state;
  refine.hidden = liked.length + disliked.length === 0;
  if (refine.hidden) return refine.replaceChildren();
  const token = (kind) => (id) => {
    const title = app.known.get(id)?.title || id;
    const photo = h("img", { src: api.sized(app.known.get(id)?.thumbnail ?? api.mainPhotoPath(id), 96), alt: "", width: "36", height: "36", loading: "lazy" });
    return h("button", {
      type: "button", class: `refine-token is-${kind}`, "data-key": `${kind}:${id}`, "aria-label": t(`refine.remove.${kind}`, { title }), title,
      on: { click: () => app.taste(kind, { item_id: id }) },
    }, photo, icon(kind === "liked" ? "heart" : "dislike"));
  };
  const parts = [liked.length && t("refine.likes", { n: liked.length }), disliked.length && t("refine.dislikes", { n: disliked.length })];
  refine.replaceChildren(
    h("p", { class: "refine-text", text: t("refine.by", { what: parts.filter(Boolean).join(t("list.and")) }) }),
    h("div", { class: "refine-tokens" }, liked.map(token("liked")), disliked.map(token("disliked"))),
    button({ label: t("refine.reset"), kind: "link", "data-testid": "refine-reset", onClick: () => app.change({ liked: [], disliked: [] }, { focus: "results" }) }));
}

const skeleton = () => h("li", { class: "card skeleton", "aria-hidden": "true" },
  h("div", { class: "frame is-loading" }), h("div", { class: "bone bone-long" }), h("div", { class: "bone bone-short" }));

const emptyCatalog = () => message({ icon: "photo", title: t("empty.title"), text: t("empty.text"), testid: "empty" });
