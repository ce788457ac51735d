/** What is compared, as the page's data tells it; which queries are shown, and in which order. Nothing of the DOM. */

const data = JSON.parse(document.getElementById("data").textContent);
const { told } = data;
const judged = data.measures.length > 0;

/** A query of the data with names in place of places. */
function queryOf([id, photo, box, category, a, b, values, overlap, rbo, failures], index) {
  const hit = ([item, itemPhoto, itemBox, other, grade, score], at) => (
    { item: data.items[item], photo: itemPhoto, box: itemBox, rank: at + 1, other, grade, score });
  return { id, index, photo, box, category, sides: [a.map(hit), b.map(hit)], values, overlap, rbo, failures };
}

const queries = data.queries.map(queryOf);

const ORDERS = {
  moved: { label: "biggest wins and losses", judged: true },
  won: { label: "B's wins first", judged: true },
  lost: { label: "B's losses first", judged: true },
  changed: { label: "most changed" },
  asked: { label: "as asked" },
};

const OUTCOMES = {
  all: { label: "all queries", has: () => true },
  won: { label: "B better", judged: true, has: (query, measure) => gain(query, measure) > 0 },
  lost: { label: "B worse", judged: true, has: (query, measure) => gain(query, measure) < 0 },
  tied: { label: "as good", judged: true, has: (query, measure) => measured(query, measure) && gain(query, measure) === 0 },
  changed: { label: "another answer", has: (query) => query.overlap < 1 || moved(query) },
  marked: { label: "marked by you", has: (query) => Object.keys(data.marks[query.id] ?? {}).length > 0 },
};

/** Whether a query is measured by the measure of this number. */
function measured(query, measure) {
  return Boolean(query.values && query.values[measure]);
}

/** By how much B is better for a query, by the measure of this number; 0 where nothing was judged. */
function gain(query, measure) {
  if (!measured(query, measure)) return 0;
  const [a, b] = query.values[measure];
  if (Math.abs(b - a) < 1e-9) return 0;
  return told.measures[data.measures[measure]].less_is_better ? a - b : b - a;
}

/** Whether the first hits are the same in another order. */
function moved(query) {
  const [a, b] = query.sides;
  return a.length !== b.length || a.some((hit, at) => hit.item !== b[at].item);
}

/** The queries to show, in order. */
function chosen({ measure, order, category, outcome, find }) {
  const wanted = find.trim().toLowerCase();
  const found = queries.filter((query) =>
    (!category || query.category === category) &&
    OUTCOMES[outcome].has(query, measure) &&
    (!wanted || named(query, wanted)));
  const keys = {
    moved: (query) => -Math.abs(gain(query, measure)),
    won: (query) => -gain(query, measure),
    lost: (query) => gain(query, measure),
    changed: (query) => query.rbo,
    asked: () => 0,
  };
  const key = keys[order];
  return found.sort((x, y) => key(x) - key(y) || (order === "asked" ? 0 : x.rbo - y.rbo) || x.index - y.index);
}

/** Whether a text is part of the query's id or of an id among its hits. */
function named(query, text) {
  return query.id.toLowerCase().includes(text) ||
    query.sides.some((side) => side.some((hit) => hit.item.toLowerCase().includes(text)));
}

/** The categories, the largest first. */
function categories() {
  const counts = new Map();
  for (const { category } of queries) if (category) counts.set(category, (counts.get(category) ?? 0) + 1);
  return [...counts].sort((x, y) => y[1] - x[1] || x[0].localeCompare(y[0]));
}

/** How a hit moved, in a sign for eyes and words for ears; `side` is 0 for A and 1 for B. */
function movement({ rank, other }, side) {
  const where = side ? "A" : "B";
  if (!other) return side ? { sign: "new", words: "not found by A", kind: "is-new" } : { sign: "gone", words: "not found by B", kind: "is-down" };
  if (other > data.shown) {
    return side
      ? { sign: `new, was ${other}`, words: `entered, rank ${other} in A`, kind: "is-new" }
      : { sign: `left to ${other}`, words: `left, rank ${other} in B`, kind: "is-down" };
  }
  if (other === rank) return { sign: "=", words: `same rank in ${where}`, kind: "" };
  const up = side ? other - rank : rank - other;
  const kind = up > 0 ? "is-up" : "is-down";
  return { sign: `${up > 0 ? "▲" : "▼"}${Math.abs(up)}`, words: `rank ${other} in ${where}`, kind };
}

/** A number as reports write it. */
function shown(value, digits = 3) {
  return value.toFixed(digits);
}

/** The same with its sign; a minus is a minus, not a hyphen. */
function signed(value, digits = 3) {
  const text = Math.abs(value).toFixed(digits);
  return Number(text) === 0 ? `±${text}` : `${value < 0 ? "−" : "+"}${text}`;
}

/** A p-value as papers write it. */
function shownP(p) {
  return p < 0.001 ? "< .001" : p.toFixed(3).replace(/^0/, "");
}
