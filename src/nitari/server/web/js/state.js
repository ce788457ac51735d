/** What is searched for, and how it is written into the page's address so that a link restores it. */

/**
 * @typedef {{kind: "item", id: string} | {kind: "url", url: string} | {kind: "kept", id: string}
 *   | {kind: "photo", key: string}} Question What is searched with. `photo` lives in this tab only, `kept` on the server.
 * @typedef {"auto" | "whole" | number[]} RegionChoice
 * @typedef {{values: Array<string|number|boolean>} | {gte?: number, lte?: number}} Choice
 * @typedef {{question: Question|null, region: RegionChoice, filters: Record<string, Choice>, minScore: number,
 *   liked: string[], disliked: string[], group: boolean, emphasis: number, category: "boost"|"restrict"|"off"}} State
 *   `emphasis`: from 0, the same shape, to 1, the same color.
 */

export const PAGE = 24;
export const MOST_HITS = 1000;
export const FACET_VALUES = 40;
export const NEUTRAL = 0.5;
export const CATEGORIES = ["boost", "restrict", "off"];
const MOST_EXAMPLES = 100;

/**
 * A search for nothing yet.
 *
 * @returns {State}
 */
export function emptyState() {
  return { question: null, region: "auto", filters: {}, minScore: 0, liked: [], disliked: [], group: false, emphasis: NEUTRAL, category: CATEGORIES[0] };
}

/**
 * Whether the question brings a photo, of which a region can be chosen.
 *
 * @param {Question|null} question
 * @returns {boolean}
 */
export function hasPhoto(question) {
  return question !== null && question.kind !== "item";
}

/**
 * The state as query parameters. A photo that lives in this tab only is not among them.
 *
 * @param {State} state
 * @returns {URLSearchParams}
 */
export function toParams(state) {
  const params = new URLSearchParams();
  const { question } = state;
  if (question?.kind === "item") params.set("item", question.id);
  if (question?.kind === "url") params.set("url", question.url);
  if (question?.kind === "kept") params.set("photo", question.id);
  if (Array.isArray(state.region)) params.set("box", state.region.map((share) => +share.toFixed(4)).join(","));
  else if (state.region !== "auto") params.set("region", state.region);
  for (const [name, choice] of Object.entries(state.filters)) {
    if ("values" in choice) for (const value of choice.values) params.append(`f.${name}`, writeValue(value));
    else params.set(`r.${name}`, `${choice.gte ?? ""}..${choice.lte ?? ""}`);
  }
  if (state.minScore > 0) params.set("min", String(state.minScore));
  for (const id of state.liked) params.append("like", id);
  for (const id of state.disliked) params.append("dislike", id);
  if (state.group) params.set("group", "1");
  if (state.emphasis !== NEUTRAL) params.set("emphasis", String(state.emphasis));
  if (state.category !== CATEGORIES[0]) params.set("category", state.category);
  return params;
}

/**
 * Read the state back. What makes no sense is left out: a link may have been cut or edited.
 *
 * @param {URLSearchParams} params
 * @param {string|null} [photoKey] The photo of this tab that the history entry belongs to.
 * @returns {State}
 */
export function fromParams(params, photoKey = null) {
  const state = emptyState();
  if (params.get("item")) state.question = { kind: "item", id: params.get("item") };
  else if (params.get("photo")) state.question = { kind: "kept", id: params.get("photo") };
  else if (params.get("url")) state.question = { kind: "url", url: params.get("url") };
  else if (photoKey) state.question = { kind: "photo", key: photoKey };
  if (params.get("region") === "whole") state.region = "whole";
  state.region = readBox(params.get("box")) ?? state.region;
  for (const [key, text] of params) {
    const name = key.slice(2);
    if (key.startsWith("f.") && name) {
      const choice = (state.filters[name] ??= { values: [] });
      const value = readValue(text);
      if ("values" in choice && value !== undefined && !choice.values.includes(value)) choice.values.push(value);
    } else if (key.startsWith("r.") && name) {
      const choice = readRange(text);
      if (choice) state.filters[name] = choice;
    }
  }
  const least = Number(params.get("min"));
  if (least > 0 && least <= 1) state.minScore = least;
  state.liked = [...new Set(params.getAll("like").filter(Boolean))].slice(0, MOST_EXAMPLES);
  state.disliked = [...new Set(params.getAll("dislike").filter(Boolean))].slice(0, MOST_EXAMPLES);
  state.group = params.get("group") === "1";
  const emphasis = params.get("emphasis")?.trim() ? Number(params.get("emphasis")) : NEUTRAL;
  if (emphasis >= 0 && emphasis <= 1) state.emphasis = emphasis;
  if (CATEGORIES.includes(params.get("category"))) state.category = params.get("category");
  return state;
}

/**
 * The state as the server's search options, without what is searched with.
 *
 * @param {State} state
 * @param {{facets?: string[], offset?: number, k?: number}} [what]
 * @returns {Record<string, any>}
 */
export function toOptions(state, { facets = [], offset = 0, k = PAGE } = {}) {
  const options = { k, offset, facets, facet_limit: FACET_VALUES, group_by: state.group ? "group" : "item" };
  const filter = toFilter(state.filters);
  if (filter) options.filter = filter;
  if (state.minScore > 0) options.min_score = state.minScore;
  if (state.liked.length) options.liked = state.liked;
  if (state.disliked.length) options.disliked = state.disliked;
  if (state.emphasis !== NEUTRAL) options.emphasis = state.emphasis;
  if (state.category !== CATEGORIES[0]) options.category = state.category;
  if (hasPhoto(state.question)) options.region = state.region;
  return options;
}

/**
 * Chosen filters as the server's JSON filter; `null` where nothing is chosen.
 *
 * @param {Record<string, Choice>} filters
 * @returns {Record<string, any>|null}
 */
export function toFilter(filters) {
  const filter = {};
  for (const [name, choice] of Object.entries(filters)) {
    if ("values" in choice) {
      if (choice.values.length) filter[name] = choice.values;
    } else filter[name] = { ...choice };
  }
  return Object.keys(filter).length ? filter : null;
}

// Texts stand as they are; numbers and booleans are marked, so that they come back as what they were.
function writeValue(value) {
  if (typeof value !== "string") return `~${JSON.stringify(value)}`;
  return value.startsWith("~") ? `~${JSON.stringify(value)}` : value;
}

function readValue(text) {
  if (!text.startsWith("~")) return text;
  try {
    const value = JSON.parse(text.slice(1));
    return ["string", "number", "boolean"].includes(typeof value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function readRange(text) {
  const [low, high] = text.split("..").map((part) => (part.trim() === "" ? undefined : Number(part)));
  const choice = {};
  if (Number.isFinite(low)) choice.gte = low;
  if (Number.isFinite(high)) choice.lte = high;
  return Object.keys(choice).length ? choice : null;
}

function readBox(text) {
  const box = (text ?? "").split(",").map(Number);
  const [x1, y1, x2, y2] = box;
  const good = box.length === 4 && box.every((share) => share >= 0 && share <= 1) && x1 < x2 && y1 < y2;
  return good ? box : null;
}
