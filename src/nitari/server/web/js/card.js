/** One result: photo, title, price, similarity, and what can be done with it. */

import { sized } from "./api.js";
import { boxStyle, button, h, icon, setStyle } from "./dom.js";
import { heatLayer, placeLayer } from "./heat.js";
import { attributeValue, money, percent, t } from "./i18n/index.js";
import { whyView } from "./why.js";

const SIZES = "(max-width: 640px) 46vw, (max-width: 1100px) 30vw, 260px";
// Boxes that are nearly the whole photo tell nothing.
const WHOLE = 0.94;

/**
 * The price as shown: what is paid, and what it was before, where it is reduced.
 *
 * @param {Record<string, any>} attributes
 * @returns {HTMLElement|null}
 */
export function priceView(attributes) {
  const price = numberOf(attributes.price);
  const sale = numberOf(attributes.sale_price);
  if (price === null && sale === null) return null;
  const currency = attributes.price_currency ?? attributes.sale_price_currency;
  if (price === null || sale === null || sale >= price) return h("p", { class: "price", text: money(price ?? sale, currency) });
  return h("p", { class: "price is-reduced" },
    h("span", { class: "sr-only", text: t("card.now") }), h("ins", { text: money(sale, currency) }), " ",
    h("span", { class: "sr-only", text: t("card.before") }), h("del", { text: money(price, currency) }));
}

const numberOf = (value) => (typeof value === "number" ? value : null);

/**
 * A photo of the catalog in a frame of fixed shape. Photos much wider or taller than it are shown whole.
 *
 * @param {{path: string, alt: string, box?: number[]|null, eager?: boolean}} props
 * @returns {HTMLElement}
 */
export function framedPhoto({ path, alt, box = null, eager = false }) {
  const frame = h("div", { class: "frame is-loading" });
  const image = h("img", {
    class: "frame-photo", alt, loading: eager ? "eager" : "lazy", decoding: "async", width: "400", height: "500", sizes: SIZES,
    srcset: [240, 480, 800].map((size) => `${sized(path, size)} ${Math.round(size * 0.8)}w`).join(", "), src: sized(path, 480),
  });
  const match = box && h("span", { class: "match-box", "aria-hidden": "true", hidden: true });
  const settle = () => {
    frame.classList.remove("is-loading");
    const { naturalWidth: width, naturalHeight: height } = image;
    if (!width) return;
    const ratio = width / height / 0.8;
    const contain = ratio > 1.45 || ratio < 0.62;
    frame.classList.toggle("is-contained", contain);
    if (match && (box[2] - box[0]) * (box[3] - box[1]) < WHOLE) {
      setStyle(match, boxStyle(onFrame(box, ratio, contain)));
      match.hidden = false;
    }
  };
  image.addEventListener("load", settle);
  image.addEventListener("error", () => {
    frame.classList.remove("is-loading");
    frame.classList.add("is-missing");
    frame.append(icon("photo"));
    image.hidden = true;
  });
  frame.append(image, match || "");
  return frame;
}

/** A box of the photo in shares of the frame, which shows the photo cut or with margins. `ratio`: photo's to frame's. */
function onFrame(box, ratio, contain) {
  return beyondFrame(box, ratio, contain).map((share) => Math.min(1, Math.max(0, share)));
}

/** The same for what may reach beyond the frame. */
function beyondFrame([x1, y1, x2, y2], ratio, contain) {
  const [wide, high] = contain === ratio > 1 ? [1, 1 / ratio] : [ratio, 1];
  const place = (share, scale) => 0.5 + (share - 0.5) * scale;
  return [place(x1, wide), place(y1, high), place(x2, wide), place(y2, high)];
}

/**
 * Show a heat map over a framed photo, or none.
 *
 * @param {HTMLElement} frame Of `framedPhoto`, whose photo has come.
 * @param {any} heat HeatModel, or `null`.
 * @param {string} label What it shows.
 */
export function heatOnFrame(frame, heat, label) {
  frame.querySelector(".heat")?.remove();
  const { naturalWidth: width, naturalHeight: height } = frame.querySelector("img");
  if (!heat || !width) return;
  const layer = heatLayer(heat, label);
  placeLayer(layer, beyondFrame(heat.box, width / height / 0.8, frame.classList.contains("is-contained")));
  frame.append(layer);
}

/**
 * A result card.
 *
 * @param {any} hit HitModel.
 * @param {{app: any, eager?: boolean}} props
 * @returns {{element: HTMLElement, update: (state: {liked: string[], disliked: string[]}, hit: any) => void}}
 */
export function resultCard(hit, { app, eager = false }) {
  const { searchItem: onMore, taste: onTaste } = app;
  const title = hit.title || t("card.untitled");
  const link = /^https?:\/\//i.test(hit.link ?? "") ? hit.link : null;
  const id = hit.item_id;
  const photo = framedPhoto({ path: hit.thumbnail, alt: link ? "" : title, box: hit.box, eager });
  const outside = { href: link, target: "_blank", rel: "noopener noreferrer" };
  const meter = h("span", { class: "meter", role: "meter", "aria-label": t("card.similarity"), "aria-valuemin": "0", "aria-valuemax": "100" }, h("span", { class: "meter-fill" }));
  const score = h("span", { class: "score-number", "aria-hidden": "true" });
  const taste = (kind, name) => h("button", {
    type: "button", class: `taste taste-${kind}`, "data-testid": name, "data-key": `${name}:${id}`, "aria-pressed": "false",
    "aria-label": t(`card.${name}`, { title }), title: t(`card.${name}.short`), on: { click: () => onTaste(kind, hit) },
  }, icon(name === "like" ? "heart" : "dislike"));
  const like = taste("liked", "like");
  const dislike = taste("disliked", "dislike");
  const more = button({
    label: t("card.more"), icon: "similar", kind: "small more-button", "aria-label": t("card.more.of", { title }), "data-testid": "more-like-this", "data-key": `more:${id}`,
    onClick: () => onMore(hit),
  });
  const duplicates = h("p", { class: "card-duplicates", "data-testid": "duplicates", hidden: true });
  const why = whyView(hit, { app, title, onToggle: (open) => element.classList.toggle("is-explained", open) });
  let shownHeat = null;
  const gone = hit.attributes.availability === "out_of_stock";
  const element = h("li", { class: "card", "data-testid": "result-card", "data-id": id },
    h("article", { class: "card-inner", "aria-label": title },
      h("div", { class: "card-photo" },
        // Where there is no product page to go to, a click on the photo does what the button below does.
        link ? h("a", { ...outside, class: "card-photo-link", tabindex: "-1", "aria-hidden": "true" }, photo)
          : h("div", { class: "card-photo-link", on: { click: () => onMore(hit) } }, photo),
        gone && h("span", { class: "badge", text: attributeValue("availability", "out_of_stock") }),
        h("div", { class: "tastes" }, like, dislike)),
      h("div", { class: "card-text" },
        typeof hit.attributes.brand === "string" && h("p", { class: "card-brand", text: hit.attributes.brand }),
        h("h3", { class: "card-title" },
          link ? h("a", { ...outside, "data-key": `open:${id}` }, title, h("span", { class: "sr-only", text: ` ${t("card.outside")}` })) : title),
        h("div", { class: "card-facts" }, priceView(hit.attributes), h("p", { class: "score" }, meter, score)), duplicates, why.button),
      why.panel, more));
  return {
    element,
    update(state, now) {
      why.update();
      const heat = app.heat?.id === id && app.heat.maps.hit?.image === hit.image ? app.heat.maps.hit : null;
      if (heat !== shownHeat) {
        shownHeat = heat;
        heatOnFrame(photo, heat, t("why.heat.hit"));
      }
      const { score: value, duplicates: same } = now;
      duplicates.hidden = same.length === 0;
      duplicates.textContent = same.length ? t("card.duplicates", { n: same.length }) : "";
      score.textContent = percent(value);
      meter.title = t("card.similarity");
      meter.setAttribute("aria-valuenow", String(Math.floor(value * 100)));
      meter.setAttribute("aria-valuetext", percent(value));
      setStyle(meter.firstElementChild, { width: `${Math.round(value * 100)}%` });
      like.setAttribute("aria-pressed", String(state.liked.includes(id)));
      dislike.setAttribute("aria-pressed", String(state.disliked.includes(id)));
    },
  };
}
