/** The page: what is searched for, what came of it, and the views that show both. */

import * as api from "./api.js";
import { announce } from "./dom.js";
import { chooseLanguage, language, t, useLanguage } from "./i18n/index.js";
import { listenForPhotos } from "./intake.js";
import { addPhoto, photoOf, restorePhoto } from "./photos.js";
import { announceResults } from "./results.js";
import { searches } from "./search.js";
import { askForToken, ensureSession } from "./session.js";
import { shell } from "./shell.js";
import { emptyState, fromParams, MOST_HITS, PAGE, toParams } from "./state.js";
import { toast } from "./toast.js";
import { followScrolling, keepVisit, newVisit, recallVisit, visit } from "./visits.js";
import { explanations } from "./why.js";

const app = {
  state: emptyState(),
  collection: null,
  answer: null,
  nearest: null,
  status: "idle",
  error: null,
  busy: null,
  loadingMore: false,
  pages: 0,
  answers: 0,
  roundTrip: 0,
  currency: undefined,
  known: new Map(),
  heat: null,
  change, showHeat, loadMore, searchPhoto, searchItem, searchUrl, taste, home, retry, setLanguage,
};
app.explanations = explanations(app);
const running = searches();
let views = null;
let timer = 0;

/**
 * Change what is searched for.
 *
 * @param {Partial<import("./state.js").State>} patch
 * @param {{push?: boolean, focus?: string|null, stay?: boolean}} [how] `push: false` changes the present history
 *   entry; `stay` leaves the page scrolled as it is, where else the new results' beginning comes into view.
 */
function change(patch, { push = true, focus = null, stay = false } = {}) {
  app.state = { ...app.state, ...patch };
  writeAddress(push);
  search({ focus });
  if (!stay) views.toResults();
}

function begin(question) {
  const { filters, minScore, group, emphasis, category } = app.state;
  app.state = { ...emptyState(), filters, minScore, group, emphasis, category, question };
  app.answer = null;
  writeAddress(true);
  scrollTo({ top: 0 });
  search({ focus: "results" });
}

async function searchPhoto(file) {
  if (!app.collection) return; // the page does not know its catalog yet
  const most = app.collection.limits.max_body_bytes;
  const key = await addPhoto(file);
  if (photoOf(key).blob.size > most) return toast(t("photo.large", { mb: Math.floor(most / 2 ** 20) }));
  begin({ kind: "photo", key });
}

function searchItem(item) {
  remember([item]);
  begin({ kind: "item", id: item.item_id });
}

function searchUrl(url) {
  begin({ kind: "url", url });
}

function home() {
  running.abort();
  const searching = app.state.question !== null;
  Object.assign(app, { state: emptyState(), answer: null, status: "idle", error: null, busy: null, heat: null });
  writeAddress(searching);
  views.show();
  scrollTo({ top: 0 });
  views.focus("start");
}

/** Like or dislike a product, or take that back. One cannot be both. */
function taste(kind, { item_id: id }) {
  const other = kind === "liked" ? "disliked" : "liked";
  const on = !app.state[kind].includes(id);
  change({
    [kind]: on ? [...app.state[kind], id] : app.state[kind].filter((one) => one !== id),
    [other]: app.state[other].filter((one) => one !== id),
  }, { stay: true });
}

/**
 * Show where the query and one hit are alike, or nothing.
 *
 * @param {{id: string, maps: any}|null} heat The hit's id, and HeatmapModel.
 */
function showHeat(heat) {
  app.heat = heat;
  views.show();
}

function retry() {
  search({ focus: "results" });
}

/** Ask the server, and show what it says; clicks that follow each other quickly are one question. */
function search({ focus = null, k = PAGE } = {}) {
  clearTimeout(timer);
  if (!app.state.question) {
    running.abort();
    Object.assign(app, { answer: null, status: "idle", error: null, busy: null });
    return views.show();
  }
  Object.assign(app, { status: "loading", error: null, busy: null, loadingMore: false, pages: Math.ceil(k / PAGE), nearest: null, heat: null });
  views.show();
  if (focus) views.focus(focus);
  timer = setTimeout(() => ask(k), app.answer ? 60 : 0);
}

async function ask(k) {
  const { state } = app;
  try {
    const { answer, roundTrip } = await running.run(state, { facets: app.collection.facets, k, onBusy });
    remember(answer.hits);
    app.currency = answer.hits.map(({ attributes }) => attributes.price_currency).find((code) => typeof code === "string") ?? app.currency;
    Object.assign(app, { answer, roundTrip, status: "ready", busy: null, answers: app.answers + 1 });
    keepVisit(answer);
    views.show();
    announceResults(app);
    if (answer.hits.length === 0 && answer.total > 0 && state.minScore > 0) await showNearest(state);
  } catch (error) {
    await failed(error);
  }
}

/** Show the best product below the threshold: how far off the nothing is. */
async function showNearest(state) {
  const { answer } = await running.run({ ...state, minScore: 0 }, { k: 1, onBusy });
  app.nearest = answer.hits[0] ?? null;
  views.show();
}

async function loadMore() {
  if (app.loadingMore || app.status !== "ready" || !app.answer.more) return;
  app.loadingMore = true;
  views.show();
  const before = app.answer;
  try {
    const { answer } = await running.run(app.state, { offset: before.hits.length, onBusy });
    remember(answer.hits);
    // The catalog may have changed between two pages: what has moved down is not shown twice.
    const seen = new Set(before.hits.map(({ item_id }) => item_id));
    const fresh = answer.hits.filter(({ item_id }) => !seen.has(item_id));
    Object.assign(app, { answer: { ...before, hits: [...before.hits, ...fresh], more: answer.more }, loadingMore: false, busy: null, pages: app.pages + 1 });
    keepVisit(app.answer);
    views.show();
    announce(t("results.loaded", { n: fresh.length }));
  } catch (error) {
    if (error.name === "AbortError") return;
    app.loadingMore = false;
    // Further pages do not come by themselves any more; the button asks again.
    app.pages = Infinity;
    views.show();
    toast(error.kind === "offline" ? t("offline.title") : error.detail);
  }
}

function onBusy(seconds) {
  app.busy = seconds;
  views.show();
}

async function failed(error) {
  if (error.name === "AbortError") return;
  if (!(error instanceof api.ApiError)) {
    // Not an answer that this page understands, a proxy's page for one: shown like any other failure, and told in full.
    console.error(error);
    error = new api.ApiError("problem", { detail: String(error), status: 500 });
  }
  if (error.kind === "token") {
    await askForToken();
    return search();
  }
  Object.assign(app, { status: "error", error, answer: null, busy: null });
  views.show();
}

function remember(items) {
  for (const item of items) app.known.set(item.item_id, item);
}

/** The address, and beside it in the history the photo that no address can hold. */
function writeAddress(push) {
  const params = toParams(app.state);
  const asked = new URLSearchParams(location.search).get("lang");
  if (asked) params.set("lang", language());
  const query = String(params);
  const { question } = app.state;
  const entry = { photo: question?.kind === "photo" ? question.key : null, visit: (!push && visit()) || newVisit() };
  history[push ? "pushState" : "replaceState"](entry, "", query ? `?${query}` : location.pathname);
}

function readAddress() {
  const key = history.state?.photo ?? null;
  const lost = key !== null && !photoOf(key);
  app.state = fromParams(new URLSearchParams(location.search), lost ? null : key);
  if (!app.state.question) app.state = emptyState();
  if (lost) toast(t("photo.lost"));
}

function setLanguage(code) {
  useLanguage(code, { store: true });
  const params = new URLSearchParams(location.search);
  if (params.has("lang")) params.set("lang", code);
  history.replaceState(history.state, "", params.size ? `?${params}` : location.pathname);
  views.rebuild();
}

async function start() {
  followScrolling();
  chooseLanguage(new URLSearchParams(location.search).get("lang"));
  views = shell(app);
  views.waiting();
  try {
    await ensureSession();
    app.collection = await api.collection();
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    if (error.kind === "token") await askForToken().then(start);
    else views.failed(error, start);
    return;
  }
  await restorePhoto();
  views.rebuild();
  readAddress();
  writeAddress(false);
  if (app.state.question) search();
  else views.show();
}

addEventListener("popstate", () => {
  if (!app.collection) return;
  const before = JSON.stringify(app.state.question);
  readAddress();
  const left = recallVisit();
  if (left) app.answer = left.answer;
  else if (JSON.stringify(app.state.question) !== before) app.answer = null;
  // What was shown is there at once; the catalog may have changed since, so as much of it is asked for again.
  search({ k: Math.min(MOST_HITS, Math.max(PAGE, left?.answer.hits.length ?? 0)) });
  scrollTo({ top: left?.scroll ?? 0, behavior: "instant" });
});
addEventListener("online", () => app.error?.kind === "offline" && app.state.question && retry());
listenForPhotos({
  onPhoto: searchPhoto,
  onLink: (url) => app.collection && searchUrl(url),
  onRefused: () => toast(t("photo.refused")),
});
start();
