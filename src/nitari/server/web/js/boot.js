// Runs before the first paint, so that nobody who chose dark is shown a white flash first.
try {
  const chosen = localStorage.getItem("nitari.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage may be switched off.
}
