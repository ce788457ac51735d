/** The server's API, as far as the page needs it. */

const COLLECTION = "/v1/collections/default";
// Longer options travel in a form: addresses of unusual length are refused by proxies.
const LONGEST_OPTIONS = 3000;
const MOST_RETRIES = 6;

/** What the server (or the way to it) says is wrong. `kind`: `offline`, `busy`, `token` or `problem`. */
export class ApiError extends Error {
  /**
   * @param {string} kind
   * @param {{detail?: string, remedy?: string, status?: number, code?: string}} [problem]
   */
  constructor(kind, { detail = "", remedy = "", status = 0, code = "" } = {}) {
    super(detail || kind);
    Object.assign(this, { kind, detail, remedy, status, code });
  }
}

/**
 * Send a request; a busy server is asked again when it says so.
 *
 * @param {string} path
 * @param {{signal?: AbortSignal, onBusy?: (seconds: number) => void} & RequestInit} [init]
 * @returns {Promise<Response>}
 * @throws {ApiError} For every answer that is not a success.
 */
export async function request(path, { onBusy, ...init } = {}) {
  for (let attempt = 0; ; attempt++) {
    let response;
    try {
      response = await fetch(path, { credentials: "same-origin", ...init });
    } catch (error) {
      if (error?.name === "AbortError") throw error;
      throw new ApiError("offline");
    }
    if (response.ok) return response;
    if (response.status === 503 && onBusy && attempt < MOST_RETRIES) {
      const seconds = Math.min(30, Math.max(1, Number(response.headers.get("Retry-After")) || 1));
      onBusy(seconds);
      await pause(seconds * 1000, init.signal);
      continue;
    }
    throw await problemOf(response);
  }
}

async function problemOf(response) {
  const kind = response.status === 401 ? "token" : response.status === 503 ? "busy" : "problem";
  let body = {};
  try {
    body = await response.json();
  } catch {
    // A proxy's error page: the status alone has to do.
  }
  const detail = body.detail || `${response.status} ${response.statusText}`.trim();
  return new ApiError(kind, { detail, remedy: body.remedy, status: response.status, code: body.code });
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("aborted", "AbortError"));
    });
  });
}

async function json(path, init) {
  return (await request(path, init)).json();
}

const jsonBody = (value) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(value),
});

/**
 * Search.
 *
 * @param {import("./state.js").Question} question
 * @param {Blob|null} photo The photo's file, where the question is a photo of this tab.
 * @param {Record<string, any>} options
 * @param {{signal?: AbortSignal, onBusy?: (seconds: number) => void}} how
 * @returns {Promise<any>} AnswerModel.
 */
export function search(question, photo, options, how) {
  if (question.kind !== "photo") return json(`${COLLECTION}/search`, { ...jsonBody({ ...namedBy(question), ...options }), ...how });
  const text = JSON.stringify(options);
  if (text.length > LONGEST_OPTIONS) {
    const form = new FormData();
    form.append("photo", photo, "photo");
    form.append("options", text);
    return json(`${COLLECTION}/search`, { method: "POST", body: form, ...how });
  }
  const path = `${COLLECTION}/search?options=${encodeURIComponent(text)}`;
  return json(path, { method: "POST", headers: { "Content-Type": photoType(photo) }, body: photo, ...how });
}

/**
 * Which parts of the query's photo make it like a hit, and which parts of the hit's. Takes the server a second or two.
 *
 * @param {import("./state.js").Question} question
 * @param {Blob|null} photo As for `search`.
 * @param {Record<string, any>} options `hit`, and how the question was searched with.
 * @returns {Promise<any>} HeatmapModel.
 */
export function heatmap(question, photo, options) {
  if (question.kind !== "photo") return json(`${COLLECTION}/heatmap`, jsonBody({ ...namedBy(question), ...options }));
  const path = `${COLLECTION}/heatmap?options=${encodeURIComponent(JSON.stringify(options))}`;
  return json(path, { method: "POST", headers: { "Content-Type": photoType(photo) }, body: photo });
}

const namedBy = ({ kind, id, url }) => ({ item: { item_id: id }, url: { url }, kept: { photo_id: id } })[kind];

const photoType = (photo) => (photo.type.startsWith("image/") ? photo.type : "application/octet-stream");

/**
 * The collection: counts, facets, limits.
 *
 * @returns {Promise<any>} CollectionModel.
 */
export const collection = () => json(COLLECTION);

/**
 * Some items of the whole collection, to begin with.
 *
 * @param {number} limit
 * @returns {Promise<any>} ItemsModel.
 */
export const sample = (limit) => json(`${COLLECTION}/items?limit=${limit}`);

/**
 * One item.
 *
 * @param {string} id
 * @returns {Promise<any>} ItemModel.
 */
export const item = (id) => json(`${COLLECTION}/items/${encodeURIComponent(id)}`);

/**
 * All values of one attribute.
 *
 * @param {string} name
 * @param {Record<string, any>|null} filter
 * @returns {Promise<any>} FacetsModel.
 */
export const facetValues = (name, filter) =>
  json(`${COLLECTION}/facets`, jsonBody({ names: [name], limit: 1000, ...(filter && { filter }) }));

/**
 * Keep a query photo, so that a link can restore the search.
 *
 * @param {Blob} photo
 * @returns {Promise<any>} QueryPhotoModel.
 */
export const keepPhoto = (photo) =>
  json(`${COLLECTION}/query-photos`, { method: "POST", headers: { "Content-Type": photoType(photo) }, body: photo });

/**
 * Delete a kept query photo.
 *
 * @param {string} id
 */
export const forgetPhoto = (id) => request(keptPhotoPath(id), { method: "DELETE" });

/**
 * Where a kept query photo is.
 *
 * @param {string} id
 * @returns {string}
 */
export const keptPhotoPath = (id) => `${COLLECTION}/query-photos/${encodeURIComponent(id)}`;

/**
 * Where an item's main photo is.
 *
 * @param {string} id
 * @returns {string}
 */
export const mainPhotoPath = (id) => `${COLLECTION}/photos/${encodeURIComponent(id)}`;

/**
 * A thumbnail's path in another size.
 *
 * @param {string} path
 * @param {number} size
 * @returns {string}
 */
export const sized = (path, size) => `${path}${path.includes("?") ? "&" : "?"}size=${size}`;

/**
 * Whether a token is needed, and whether this browser has given it.
 *
 * @returns {Promise<{needed: boolean, granted: boolean}>}
 */
export const session = () => json("/session");

/**
 * Sign in.
 *
 * @param {string} token
 */
export const signIn = (token) => request("/session", jsonBody({ token }));
