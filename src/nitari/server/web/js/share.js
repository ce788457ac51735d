/** A link that restores the search. A photo has to be kept on the server for it: said plainly, done on request, undone. */

import * as api from "./api.js";
import { announce, button, h } from "./dom.js";
import { openDialog } from "./dialog.js";
import { day, language, t } from "./i18n/index.js";
import { photoOf } from "./photos.js";
import { toParams } from "./state.js";

/**
 * Open the share dialog.
 *
 * @param {any} app
 */
export function openShare(app) {
  const body = h("div", { class: "share" });
  const dialog = openDialog({ title: t("share.title"), content: [body], className: "dialog-share" });
  show(app, body, dialog);
}

function show(app, body, dialog) {
  const { question } = app.state;
  const photo = question.kind === "photo" ? photoOf(question.key) : null;
  if (question.kind === "kept") return showLink(app, body, dialog, question.id, null);
  if (!photo) return showLink(app, body, dialog, null, null);
  if (photo.keptId) return showLink(app, body, dialog, photo.keptId, photo.keptUntil);
  if (!app.collection.keeps_query_photos) return body.replaceChildren(h("p", { text: t("share.off") }));
  askToKeep(app, body, dialog, photo);
}

function askToKeep(app, body, dialog, photo) {
  const problem = h("p", { class: "field-problem", role: "alert" });
  const keep = button({
    label: t("share.keep"), kind: "primary", "data-testid": "share-keep",
    onClick: async () => {
      keep.disabled = true;
      problem.textContent = "";
      try {
        const kept = await api.keepPhoto(photo.blob);
        photo.keptId = kept.photo_id;
        photo.keptUntil = kept.expires_at;
        showLink(app, body, dialog, kept.photo_id, kept.expires_at);
      } catch (error) {
        problem.textContent = error.kind === "offline" ? t("offline.title") : [error.detail, error.remedy].filter(Boolean).join(" ");
        keep.disabled = false;
      }
    },
  });
  const cancel = button({ label: t("cancel"), onClick: () => dialog.close() });
  const until = new Date(Date.now() + app.collection.query_photo_days * 86_400_000).toISOString();
  body.replaceChildren(h("p", { text: t("share.photo", { date: day(until) }) }), h("p", { class: "muted", text: t("share.photo.who") }), problem,
    h("div", { class: "dialog-actions" }, keep, cancel));
}

function showLink(app, body, dialog, keptId, until) {
  const params = toParams(keptId ? { ...app.state, question: { kind: "kept", id: keptId } } : app.state);
  params.set("lang", language());
  const link = `${location.origin}${location.pathname}?${params}`;
  const field = h("input", { id: "share-link", class: "input", readonly: true, value: link, "data-testid": "share-link", on: { focus: () => field.select() } });
  const copy = button({ label: t("share.copy"), icon: "copy", kind: "primary", "data-testid": "share-copy", onClick: async () => {
    const done = await copyText(field);
    copy.lastElementChild.textContent = t(done ? "share.copied" : "share.copy.yourself");
    announce(t(done ? "share.copied" : "share.copy.yourself"));
  } });
  const parts = [
    keptId && h("p", { class: "share-kept", text: until ? t("share.until", { date: day(until) }) : t("share.kept") }),
    h("label", { for: "share-link", class: "field-label", text: t("share.link") }),
    h("div", { class: "share-row" }, field, copy),
  ];
  if (keptId) parts.push(deleteButton(app, body, dialog, keptId));
  body.replaceChildren(...parts.filter(Boolean));
  copy.focus();
}

function deleteButton(app, body, dialog, keptId) {
  const problem = h("p", { class: "field-problem", role: "alert" });
  const remove = button({ label: t("share.delete"), icon: "trash", kind: "link danger", "data-testid": "share-delete", onClick: async () => {
    remove.disabled = true;
    try {
      await api.forgetPhoto(keptId);
    } catch (error) {
      // One that is gone already is what was wanted.
      if (error.status !== 404) {
        problem.textContent = error.kind === "offline" ? t("offline.title") : error.detail;
        remove.disabled = false;
        return;
      }
    }
    const { question } = app.state;
    const photo = question.kind === "photo" && photoOf(question.key);
    if (photo) photo.keptId = null;
    const done = h("p", { role: "status", tabindex: "-1", text: t("share.deleted") });
    body.replaceChildren(done, h("div", { class: "dialog-actions" }, button({ label: t("close"), onClick: () => dialog.close() })));
    done.focus();
    if (question.kind === "kept") app.home();
  } });
  return h("div", { class: "share-delete" }, remove, problem);
}

async function copyText(field) {
  try {
    await navigator.clipboard.writeText(field.value);
    return true;
  } catch {
    // No clipboard without HTTPS: the old way, and where that fails too, the link is at least selected.
    field.focus();
    field.select();
    try {
      return document.execCommand("copy");
    } catch {
      return false;
    }
  }
}
