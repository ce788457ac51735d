/** Notes in passing. */

import { button, h } from "./dom.js";
import { t } from "./i18n/index.js";

const NOTE_MS = 7000;

/**
 * Say something in passing, to eyes and ears: the box is a live region.
 *
 * @param {string} text
 */
export function toast(text) {
  const box = document.getElementById("toasts");
  const note = h("div", { class: "toast" }, h("p", { text }), button({ label: t("close"), icon: "close", iconOnly: true, kind: "quiet", onClick: () => note.remove() }));
  box.replaceChildren(note);
  setTimeout(() => note.remove(), NOTE_MS);
}
