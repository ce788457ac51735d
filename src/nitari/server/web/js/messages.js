/** What stands where results would be, when there are none: each says why, and what to do. */

import { button, h, icon } from "./dom.js";
import { percent, t } from "./i18n/index.js";
import { hasPhoto } from "./state.js";

/**
 * A message with a picture, a title, a text and actions.
 *
 * @param {{icon: string, title: string, text?: string|null, more?: string|Node|null, actions?: Node[], testid?: string,
 *          alert?: boolean, heading?: string}} props `heading`: the title's tag, as deep as where it stands.
 * @returns {HTMLElement}
 */
export function message({ icon: name, title, text, more, actions = [], testid, alert = false, heading = "h3" }) {
  return h("div", { class: "message", "data-testid": testid, role: alert ? "alert" : null },
    h("div", { class: "message-icon" }, icon(name)),
    h(heading, { class: "message-title", text: title }),
    text && h("p", { class: "message-text", text }),
    more && h("p", { class: "message-text message-more muted" }, more),
    actions.length > 0 && h("div", { class: "message-actions" }, actions));
}

/**
 * Nothing looks like this: what is to blame, and the ways on.
 *
 * @param {any} app
 * @returns {HTMLElement}
 */
export function nothingFound(app) {
  const { state, answer, nearest } = app;
  const filtered = Object.keys(state.filters).length > 0;
  const noneLeft = answer.total === 0;
  const actions = [];
  if (!noneLeft && state.minScore > 0) {
    const enough = nearest ? Math.floor(nearest.score * 100) / 100 : 0;
    const label = enough > 0 ? t("nothing.lower.to", { score: percent(enough) }) : t("nothing.lower");
    actions.push(button({ label, kind: "primary", onClick: () => app.change({ minScore: enough }, { focus: "results" }) }));
  }
  if (filtered) actions.push(button({ label: t("filters.clear"), kind: noneLeft ? "primary" : "", onClick: () => app.change({ filters: {} }, { focus: "results" }) }));
  if (hasPhoto(state.question) && state.region !== "whole" && !noneLeft) {
    actions.push(button({ label: t("nothing.whole"), onClick: () => app.change({ region: "whole" }, { focus: "results" }) }));
  }
  const text = noneLeft
    ? t("nothing.filters")
    : state.minScore > 0 ? t(filtered ? "nothing.threshold.filtered" : "nothing.threshold", { score: percent(state.minScore), n: answer.total }) : t("nothing.other");
  const more = nearest && t("nothing.nearest", { score: percent(nearest.score), title: nearest.title || t("card.untitled") });
  return message({ icon: "none", title: t(noneLeft ? "nothing.filters.title" : "nothing.title"), text, more, actions, testid: "nothing-found" });
}

/**
 * What went wrong: in the reader's language what it means for this search, and below in the server's own words why.
 *
 * @param {import("./api.js").ApiError} error
 * @param {{question?: import("./state.js").Question|null, onRetry: () => void, onHome: () => void, heading?: string}} props
 * @returns {HTMLElement}
 */
export function failure(error, { question = null, onRetry, onHome, heading }) {
  const retry = button({ label: t("retry"), icon: "retry", kind: "primary", onClick: onRetry });
  const home = button({ label: t("home"), onClick: onHome });
  if (error.kind === "offline") return message({ icon: "offline", title: t("offline.title"), text: t("offline.text"), actions: [retry], testid: "offline", alert: true, heading });
  if (error.kind === "busy") return message({ icon: "clock", title: t("busy.title"), text: t("busy.text"), actions: [retry], testid: "busy", alert: true, heading });
  const key = meaning(error, question);
  return message({
    icon: "none", title: t(`error.${key}`), text: t(`error.${key}.text`), more: h("span", { lang: "en" }, [error.detail, error.remedy].filter(Boolean).map(sentence).join(" ")),
    actions: error.status >= 500 ? [retry, home] : [home], testid: "error", alert: true, heading,
  });
}

function meaning({ status }, question) {
  if (status >= 500) return "server";
  if (status === 413) return "large";
  if (status === 404 && question?.kind === "item") return "item";
  if (status === 404 && question?.kind === "kept") return "kept";
  if (question?.kind === "url") return "link";
  return question?.kind === "photo" && [415, 422].includes(status) ? "photo" : "other";
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
