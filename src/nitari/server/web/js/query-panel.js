/** What is searched with: the photo, the products found on it, the box; or the item. */

import * as api from "./api.js";
import { boxEditor } from "./box-editor.js";
import { framedPhoto, heatOnFrame, priceView } from "./card.js";
import { boxStyle, button, debounce, h, icon, keepFocus, setStyle } from "./dom.js";
import { heatLayer, placeLayer } from "./heat.js";
import { t } from "./i18n/index.js";
import { photoOf } from "./photos.js";

// A box that is nearly the whole photo tells nothing.
const WHOLE = 0.94;
const FIRST_BOX = [0.2, 0.15, 0.8, 0.85];

/**
 * The query panel.
 *
 * @param {any} app
 * @returns {{element: HTMLElement, update: () => void}}
 */
export function queryPanel(app) {
  const holder = h("div", { class: "query-holder" });
  const element = h("section", { class: "query", "aria-labelledby": "query-title" },
    h("h2", { id: "query-title", class: "sr-only", text: t("query.title") }), holder);
  let shownFor = null;
  let view = null;

  function update() {
    const key = JSON.stringify(app.state.question);
    if (key !== shownFor) {
      shownFor = key;
      view = app.state.question?.kind === "item" ? itemView(app) : app.state.question ? photoView(app) : null;
      holder.replaceChildren(...(view ? [view.element] : []));
    }
    view?.update();
  }
  return { element, update };
}

function itemView(app) {
  const { id } = app.state.question;
  const known = app.known.get(id);
  // The very photo that was clicked, where one was; it may not be the item's main one.
  const photo = framedPhoto({ path: known?.thumbnail ?? api.mainPhotoPath(id), alt: "", eager: true });
  const words = h("div", { class: "query-item-text" }, h("p", { class: "eyebrow", text: t("query.item") }));
  const element = h("div", { class: "query-item", "data-testid": "query-photo" }, photo, words);
  const fill = (title, attributes) => {
    const link = /^https?:\/\//i.test(attributes.link ?? "") ? attributes.link : null;
    words.replaceChildren(
      h("p", { class: "eyebrow", text: t("query.item") }),
      h("p", { class: "query-item-title", text: title || t("card.untitled") }),
      priceView(attributes) ?? "",
      link ? h("a", { class: "text-link", href: link, target: "_blank", rel: "noopener noreferrer" }, t("query.open"), icon("external"), h("span", { class: "sr-only", text: ` ${t("card.outside")}` })) : "",
    );
  };
  if (known) fill(known.title, known.attributes);
  // A link that restores a search brings the id alone. Where the item is gone, the results say so.
  else api.item(id).then((item) => fill(item.title, item.attributes), () => {});
  let shown = null;
  return {
    element,
    update() {
      const heat = app.heat?.maps.query ?? null;
      if (heat === shown) return;
      shown = heat;
      heatOnFrame(photo, heat, t("why.heat.query"));
    },
  };
}

function previewOf(question) {
  if (question.kind === "photo") return photoOf(question.key)?.preview ?? null;
  if (question.kind === "kept") return api.keptPhotoPath(question.id);
  return null;
}

function photoView(app) {
  const { question } = app.state;
  const preview = previewOf(question);
  const stage = h("div", { class: "stage", "data-testid": "query-photo" });
  const regions = h("div", { class: "regions" });
  const match = h("span", { class: "match-box query-match", "aria-hidden": "true", hidden: true });
  const heatClip = h("div", { class: "heat-clip" });
  let heatShown = null;
  const choose = debounce((box) => app.change({ region: box }, { push: !Array.isArray(app.state.region) }), 220);
  let editor = null;
  let drawn = null;

  const unseen = () => {
    const reason = { url: () => t("query.link.unseen", { host: hostOf(question.url) }), kept: () => t("error.kept"), photo: () => t("query.unseen") }[question.kind]();
    stage.replaceChildren(h("div", { class: "stage-unseen" }, icon(question.kind === "url" ? "link" : "photo"), h("p", { text: reason })));
    stage.classList.add("is-unseen");
    editor = null;
    modes.update();
  };
  const modes = modeChoice(app, {
    canBox: () => editor !== null,
    onBox: () => {
      const found = app.answer?.regions[0]?.box ?? FIRST_BOX;
      app.change({ region: [...found] });
      editor?.focus();
    },
  });
  if (preview) {
    stage.append(h("img", { class: "stage-photo", src: preview, alt: t("query.alt"), draggable: "false", on: { error: unseen } }), regions, heatClip, match);
    editor = boxEditor(stage, { onChange: (box, done) => {
      choose.cancel();
      if (done) choose(box);
    } });
  } else unseen();

  function update() {
    modes.update();
    if (!editor) return;
    editor.set(Array.isArray(app.state.region) ? app.state.region : null);
    showMatch();
    const found = app.answer?.regions ?? [];
    const key = JSON.stringify(found);
    if (key === drawn) return;
    drawn = key;
    keepFocus(regions, () => regions.replaceChildren(...found.map((region, at) => regionButton(app, region, at, () => editor?.focus()))));
  }
  /** The part that was compared, and what of it counts, for whoever asks why. */
  function showMatch() {
    const box = app.answer?.query_box;
    match.hidden = !box || (box[2] - box[0]) * (box[3] - box[1]) >= WHOLE;
    if (!match.hidden) setStyle(match, boxStyle(box));
    const heat = app.heat?.maps.query ?? null;
    if (heat === heatShown) return;
    heatShown = heat;
    heatClip.replaceChildren();
    if (!heat) return;
    const layer = heatLayer(heat, t("why.heat.query"));
    placeLayer(layer, heat.box);
    heatClip.append(layer);
  }
  const element = h("div", { class: "query-photo" },
    h("div", { class: "stage-holder" }, stage), modes.element,
    preview ? h("p", { class: "query-hint muted", text: t(matchMedia("(pointer: coarse)").matches ? "query.hint.touch" : "query.hint") }) : null);
  return { element, update };
}

function regionButton(app, region, at, focusBox) {
  const element = h("button", {
    type: "button", class: "region", "data-testid": "region", "data-key": `region-${at}`, "aria-label": t("region.use", { n: at + 1 }),
    on: { click: () => {
      app.change({ region: [...region.box] });
      focusBox();
    } },
  }, h("span", { class: "region-dot" }));
  setStyle(element, boxStyle(region.box));
  return element;
}

/** Auto, whole photo or a box: which part of the photo is searched with. */
function modeChoice(app, { canBox, onBox }) {
  const modes = [
    { name: "auto", label: t("mode.auto"), pick: () => app.change({ region: "auto" }) },
    { name: "whole", label: t("mode.whole"), pick: () => app.change({ region: "whole" }) },
    { name: "box", label: t("mode.box"), pick: onBox },
  ];
  const inputs = modes.map(({ name, pick }) => h("input", { type: "radio", name: "mode", value: name, "data-key": `mode-${name}`, on: { change: pick } }));
  const labels = modes.map(({ label }, at) => h("label", { class: "segment" }, inputs[at], h("span", { text: label })));
  const element = h("fieldset", { class: "segments" }, h("legend", { class: "sr-only", text: t("mode.legend") }), labels);
  return {
    element,
    update() {
      const now = Array.isArray(app.state.region) ? "box" : app.state.region;
      modes.forEach(({ name }, at) => (inputs[at].checked = name === now));
      labels[2].hidden = !canBox();
    },
  };
}

function hostOf(url) {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}

/**
 * The row of ways out of this search: another photo, and sharing.
 *
 * @param {{onNew: () => void, onShare: () => void}} props
 * @returns {HTMLElement}
 */
export function queryActions({ onNew, onShare }) {
  return h("div", { class: "query-actions" },
    button({ label: t("query.new"), icon: "camera", kind: "small", onClick: onNew, "data-key": "new-search" }),
    button({ label: t("share"), icon: "share", kind: "small", onClick: onShare, "data-testid": "share", "data-key": "share" }));
}
