/** The head of the page: who is compared, which is better and how surely, by measure and by category. */

function fillSummary() {
  const [a, b] = [told.a, told.b];
  byId("kind").textContent = `${told.protocol}: ${told.queries} queries, ${told.judged} judged`;
  byId("title").textContent = `A ${a.name} → B ${b.name}`;
  const parts = [
    ...(judged ? told.primary.map((name) => make("p", { class: "verdict", text: verdict(name) })) : []),
    make("p", { class: "verdict", text: agreement(told.agreement) }),
    ...notes().map((text) => make("p", { class: "note", text })),
    judged && measureTable(),
    Object.keys(told.agreement_by_category).length > 1 && categoryDetails(),
    runDetails(),
  ];
  byId("summary").append(...parts.filter(Boolean));
}

function verdict(name) {
  const { a, b, difference, low, high, p, won, lost } = told.measures[name];
  const says = p < 0.05 ? (isBetter(told.measures[name]) ? "B is better" : "B is worse") : "no significant difference";
  return `${name}: ${says}. ${shown(a)} → ${shown(b)}, ${signed(difference)} (${signed(low)} to ${signed(high)}), p ${
    p < 0.001 ? "" : "= "}${shownP(p)}; ${won} won, ${lost} lost.`;
}

function isBetter({ difference, less_is_better: less }) {
  return less ? difference < 0 : difference > 0;
}

function agreement({ overlap, rbo, same_first: first, same_ten: ten }) {
  const percent = (share) => `${(100 * share).toFixed(0)} %`;
  return `The answers share ${percent(overlap)} of their first ten (rank-biased overlap ${shown(rbo, 2)}); ` +
    `${percent(first)} of the queries have the same first hit, ${percent(ten)} the very same first ten.`;
}

function notes() {
  const failed = [["A", told.a.failed], ["B", told.b.failed]].filter(([, count]) => count);
  return [
    told.left_out && `${told.left_out} queries that only one of them was asked are left out.`,
    failed.length && `Queries that failed: ${failed.map(([side, count]) => `${count} in ${side}`).join(", ")}.`,
    told.recut && `Measures of queries with further judgments were computed anew from the first ${told.recut} ranks.`,
    !judged && "Nothing was judged, so nothing says which is better. Mark hits below: they count from then on.",
  ].filter(Boolean);
}

function measureTable() {
  const heads = ["measure", "A", "B", "B − A", "95 % interval", "p", "won", "lost", "tied"];
  const rows = data.measures.map((name) => resultRow(name, told.measures[name], told.measures[name].p, told.primary.includes(name)));
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "All measures" },
    make("table", { id: "measures" }, headRow(heads), make("tbody", {}, ...rows)));
}

function headRow(heads) {
  return make("thead", {}, make("tr", {}, ...heads.map((text, at) => make("th", { scope: "col", class: at ? "number" : "", text }))));
}

function resultRow(name, found, p, primary = false) {
  const kind = p >= 0.05 ? "" : isBetter(found) ? "is-better" : "is-worse";
  const cells = [shown(found.a), shown(found.b), signed(found.difference), `${signed(found.low)} to ${signed(found.high)}`,
    shownP(p), found.won, found.lost, found.tied];
  return make("tr", { class: primary ? "is-primary" : "" },
    make("th", { scope: "row", text: found.less_is_better ? `${name} (less is better)` : name }),
    ...cells.map((text, at) => make("td", { class: `number ${at === 2 ? kind : ""}`, text: String(text) })));
}

/** A table for the measure that is chosen in the tools; filled anew when another one is. */
function categoryDetails() {
  return make("details", { open: "" }, make("summary", { id: "by-category-title", text: "By category" }),
    make("div", { class: "scroll is-long", tabindex: "0", role: "region", "aria-label": "Results by category", id: "by-category" }));
}

function fillCategories(measure) {
  const place = byId("by-category");
  if (!place) return;
  const name = data.measures[measure];
  const heads = judged
    ? ["category", "A", "B", "B − A", "95 % interval", "p (Holm)", "won", "lost", "tied"]
    : ["category", "queries", "overlap of the first ten", "rank-biased overlap"];
  const rows = judged
    ? Object.entries(told.categories).filter(([, found]) => found[name])
      .map(([category, found]) => resultRow(category, found[name], found[name].p_holm))
    : Object.entries(told.agreement_by_category).map(([category, found]) =>
      make("tr", {}, make("th", { scope: "row", text: category }),
        ...[found.queries, shown(found.overlap), shown(found.rbo)].map((text) => make("td", { class: "number", text: String(text) }))));
  if (judged) byId("by-category-title").textContent = `${name} by category`;
  place.replaceChildren(make("table", {}, headRow(heads), make("tbody", {}, ...rows)));
}

function runDetails() {
  const keys = [...new Set([...Object.keys(told.a.settings), ...Object.keys(told.b.settings)])];
  const said = (value) => (value === undefined ? "—" : typeof value === "object" ? JSON.stringify(value) : String(value));
  const rows = [["", "A", "B"], ["made", told.a.made, told.b.made], ["Nitari", told.a.nitari, told.b.nitari],
    ...keys.map((key) => [key, said(told.a.settings[key]), said(told.b.settings[key])])];
  return make("details", {}, make("summary", { text: "How it was made" }),
    make("div", { class: "settings" }, ...rows.flat().map((text) => make("span", { text }))),
    make("p", { class: "note", text: "p: paired randomization test, two-sided (Smucker, Allan, Carterette, CIKM 2007), " +
      `${told.method.permutations.toLocaleString("en")} permutations, exact for few queries; by category corrected by Holm. ` +
      "Intervals: percentile bootstrap of the difference. Rank-biased overlap: Webber, Moffat, Zobel, TOIS 2010, " +
      `p = ${told.method.rbo_p}.` }));
}
