/** The frame around everything: header, the two views, the filter drawer, passing notes. */

import { announce, button, h, icon } from "./dom.js";
import { facetPanel } from "./facets.js";
import { LANGUAGES, language, t } from "./i18n/index.js";
import { photoInputs } from "./intake.js";
import { failure } from "./messages.js";
import { queryActions, queryPanel } from "./query-panel.js";
import { resultsPanel } from "./results.js";
import { openShare } from "./share.js";
import { startView } from "./start.js";
import { toast } from "./toast.js";
import { setTheme, theme, THEMES } from "./theme.js";

// Below this width the filters live in a drawer; the same figure as in layout.css.
const NARROW = "(max-width: 860px)";

/**
 * Build the page's frame.
 *
 * @param {any} app
 * @returns {{show: () => void, rebuild: () => void, waiting: () => void, failed: (error: any, retry: () => void) => void,
 *            focus: (what: string) => void, toResults: () => void}}
 */
export function shell(app) {
  const root = document.getElementById("app");
  let parts = null;

  function rebuild() {
    document.getElementById("skip").textContent = t("skip");
    document.getElementById("main").replaceChildren();
    const inputs = photoInputs({ onPhoto: app.searchPhoto, onRefused: () => toast(t("photo.refused")) });
    const query = queryPanel(app);
    const facets = facetPanel(app);
    const results = resultsPanel(app);
    const side = h("div", { class: "side" },
      h("div", { class: "side-inner" }, query.element, queryActions({ onNew: app.home, onShare: () => openShare(app) }), h("div", { class: "side-filters" }, facets.element)));
    const searching = h("div", { class: "searching", hidden: true }, h("h1", { class: "sr-only", text: t("page.results") }), side, results.element);
    root.querySelector("header")?.remove();
    root.prepend(header(app));
    document.getElementById("main").replaceChildren(searching, inputs.element);
    app.openFilters = () => openDrawer(app, facets.element, side.querySelector(".side-filters"));
    parts = { inputs, query, facets, results, searching, start: null };
    if (app.collection) show();
  }

  function show() {
    const asking = app.state.question !== null;
    document.body.classList.toggle("is-searching", asking);
    parts.searching.hidden = !asking;
    document.title = asking ? `${t("page.results")} · Nitari` : t("page.title");
    if (!asking) {
      parts.start ??= startView(app, parts.inputs);
      if (!parts.start.element.isConnected) document.getElementById("main").prepend(parts.start.element);
      return;
    }
    parts.start?.element.remove();
    parts.start = null;
    document.querySelector("[data-testid=share]").hidden = app.status === "error";
    parts.query.update();
    parts.facets.update();
    parts.results.update();
    document.querySelector(".drawer-done span")?.replaceChildren(drawerDone(app));
  }

  return {
    show,
    rebuild,
    waiting() {
      rebuild();
      document.getElementById("main").append(h("div", { class: "waiting", role: "status" }, h("span", { class: "sr-only", text: t("loading") }), h("span", { class: "waiting-mark" })));
    },
    failed(error, again) {
      document.getElementById("main").replaceChildren(failure(error, { onRetry: again, onHome: again, heading: "h1" }));
    },
    toResults() {
      const top = parts.results.element.getBoundingClientRect().top;
      if (top < 0) scrollBy({ top });
    },
    focus(what) {
      if (what === "results") parts.results.focus();
      else parts.start?.focus();
    },
  };
}

function header(app) {
  const home = (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    if (app.collection) app.home();
  };
  const languages = h("select", { class: "select", "aria-label": t("language"), "data-testid": "language", on: { change: (event) => {
    app.setLanguage(event.target.value);
    document.querySelector("[data-testid=language]").focus();
  } } }, LANGUAGES.map(({ code, name }) => h("option", { value: code, lang: code, selected: code === language(), text: name })));
  return h("header", { class: "header" },
    h("a", { class: "brand", href: location.pathname, "aria-label": t("brand.home"), on: { click: home } },
      h("span", { class: "brand-mark", "aria-hidden": "true" }), h("span", { class: "brand-name", text: "nitari" })),
    h("div", { class: "header-tools" }, languages, themeButton()));
}

function themeButton() {
  const icons = { auto: "auto", light: "sun", dark: "moon" };
  const element = button({ label: "", icon: "auto", iconOnly: true, kind: "quiet", "data-testid": "theme", onClick: () => {
    setTheme(THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length]);
    paint();
    announce(t(`theme.${theme()}`));
  } });
  const paint = () => {
    element.replaceChildren(icon(icons[theme()]));
    element.setAttribute("aria-label", t("theme.label", { now: t(`theme.${theme()}`) }));
    element.title = t(`theme.${theme()}`);
  };
  paint();
  return element;
}

const drawerDone = (app) => (app.status === "ready" ? t("drawer.show", { n: app.answer.total }) : t("results.loading"));

/** The filters as a drawer, where there is no room beside the results: the same panel, lent to a dialog. */
function openDrawer(app, panel, place) {
  const done = button({ label: drawerDone(app), kind: "primary drawer-done", onClick: () => drawer.close() });
  const close = button({ label: t("close"), icon: "close", iconOnly: true, kind: "quiet", onClick: () => drawer.close() });
  const drawer = h("dialog", { class: "drawer", "aria-label": t("filters.title") },
    h("div", { class: "drawer-head" }, close), h("div", { class: "drawer-body" }, panel), h("div", { class: "drawer-foot" }, done));
  const wide = matchMedia(NARROW);
  const grown = (event) => event.matches || drawer.close();
  wide.addEventListener("change", grown);
  drawer.addEventListener("click", (event) => event.target === drawer && drawer.close());
  drawer.addEventListener("close", () => {
    wide.removeEventListener("change", grown);
    place.append(panel);
    drawer.remove();
    document.querySelector(".filters-open")?.focus();
  });
  document.body.append(drawer);
  drawer.showModal();
  panel.querySelector("h2").focus();
}
