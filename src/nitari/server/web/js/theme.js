/** Light, dark, or as the system has it. `boot.js` applies the stored choice before the first paint. */

const STORED = "nitari.theme";
export const THEMES = ["auto", "light", "dark"];

/**
 * The choice in force.
 *
 * @returns {string} One of `THEMES`.
 */
export function theme() {
  const chosen = document.documentElement.dataset.theme;
  return THEMES.includes(chosen) ? chosen : "auto";
}

/**
 * Choose a theme and remember it.
 *
 * @param {string} chosen One of `THEMES`.
 */
export function setTheme(chosen) {
  const root = document.documentElement;
  if (chosen === "auto") delete root.dataset.theme;
  else root.dataset.theme = chosen;
  try {
    localStorage.setItem(STORED, chosen);
  } catch {
    // Storage may be switched off; the choice then lasts as long as the page.
  }
}
