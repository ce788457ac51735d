/** Signing in, where the server asks for a token. */

import { session, signIn } from "./api.js";
import { button, h, icon } from "./dom.js";
import { openDialog } from "./dialog.js";
import { t } from "./i18n/index.js";

let asking = null;

/**
 * Ask for the token if it is needed and not yet given. Resolves once requests may be sent.
 *
 * @returns {Promise<void>}
 */
export async function ensureSession() {
  const { needed, granted } = await session();
  if (needed && !granted) await askForToken();
}

/**
 * Show the sign-in dialog; one at a time, whoever asks.
 *
 * @returns {Promise<void>} Resolves when the token was right.
 */
export function askForToken() {
  asking ??= new Promise((resolve) => {
    const problem = h("p", { class: "field-problem", id: "token-problem", role: "alert" });
    const input = h("input", {
      id: "token", class: "input", type: "password", name: "token", autocomplete: "current-password", autofocus: true,
      required: true, "aria-describedby": "token-hint token-problem", "data-testid": "token",
    });
    const send = button({ label: t("token.send"), kind: "primary", type: "submit" });
    const submit = async (event) => {
      event.preventDefault();
      problem.textContent = "";
      send.disabled = true;
      try {
        await signIn(input.value.trim());
        granted = true;
        dialog.close();
      } catch (error) {
        problem.textContent = error.kind === "offline" ? t("offline.title") : error.kind === "token" ? t("token.wrong") : error.detail;
        input.select();
      } finally {
        send.disabled = false;
      }
    };
    let granted = false;
    const dialog = openDialog({
      title: t("token.title"),
      className: "dialog-token",
      closable: false,
      content: [
        h("form", { on: { submit } },
          h("p", { id: "token-hint", class: "muted" }, t("token.hint")),
          h("label", { for: "token", class: "field-label", text: t("token.label") }),
          h("div", { class: "field-with-icon" }, icon("lock"), input),
          problem,
          h("div", { class: "dialog-actions" }, send),
        ),
      ],
      onClose: () => {
        asking = null;
        if (granted) resolve();
      },
    });
  });
  return asking;
}
