/** Modal dialogs: the browser's own, so that focus, Escape and the background are taken care of. */

import { button, h } from "./dom.js";
import { t } from "./i18n/index.js";

/**
 * Open a dialog. It removes itself when it is closed, and the focus goes back to where it was.
 *
 * @param {{title: string, content: Array<Node|string|null>, className?: string, closable?: boolean,
 *          onClose?: () => void}} props `closable: false` for what has to be answered.
 * @returns {HTMLDialogElement}
 */
export function openDialog({ title, content, className = "", closable = true, onClose }) {
  const id = `dialog-${Math.random().toString(36).slice(2)}`;
  const before = document.activeElement;
  const heading = h("h2", { id, class: "dialog-title", text: title, tabindex: "-1" });
  const close = closable && button({ label: t("close"), icon: "close", iconOnly: true, kind: "quiet", onClick: () => dialog.close() });
  const dialog = h(
    "dialog",
    { class: `dialog ${className}`.trim(), "aria-labelledby": id },
    h("div", { class: "dialog-head" }, heading, close),
    h("div", { class: "dialog-body" }, content),
  );
  dialog.addEventListener("cancel", (event) => closable || event.preventDefault());
  dialog.addEventListener("click", (event) => closable && event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    onClose?.();
  });
  document.body.append(dialog);
  dialog.showModal();
  (dialog.querySelector("[autofocus]") ?? heading).focus();
  return dialog;
}
