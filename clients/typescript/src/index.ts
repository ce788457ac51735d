/**
 * Client of the Nitari visual product search API. Requests and answers have the names of the OpenAPI document, from
 * which `schema.ts` is generated: `npm run generate`.
 */

import createFetchClient from "openapi-fetch";

import { errorOf, NitariError } from "./errors.js";
import type { components, paths } from "./schema.js";
import { patientFetch, pause, type TransportOptions } from "./transport.js";

export { type FieldProblem, NitariError } from "./errors.js";

/** All models of the API by name. */
export type Schemas = components["schemas"];
export type Answer = Schemas["AnswerModel"];
export type Hit = Schemas["HitModel"];
export type Item = Schemas["ItemModel"];
export type Job = Schemas["JobModel"];
export type Edit = Schemas["EditModel"];
export type Alias = Schemas["AliasModel"];
export type Snapshot = Schemas["SnapshotModel"];
export type Operation = Schemas["BatchBody"]["operations"][number];

/** An image file. */
export type Photo = Blob | ArrayBuffer | Uint8Array;

type Source = "url" | "item_id" | "vector" | "photo_id";
export type SearchOptions = Omit<Schemas["SearchBody"], Source>;
/** What to search with, `photo` or one of the others, and how. */
export type Search = (SearchOptions & { photo: Photo }) | (Schemas["SearchBody"] & { photo?: never });
/** What was searched with, and the `hit` to compare with. */
export type Heatmap = (Schemas["HeatmapOptions"] & { photo: Photo }) | (Schemas["HeatmapBody"] & { photo?: never });
export type Detect = { photo: Photo } | (Schemas["DetectBody"] & { photo?: never });

export interface ClientOptions extends TransportOptions {
  /** Where the server is, such as `http://127.0.0.1:8321`. */
  baseUrl: string;
  /** The server's token, if it has one. Never put it into a page that others open. */
  token?: string | undefined;
  /** A collection's name or an alias. Default: the server's own. */
  collection?: string;
}

export type Client = ReturnType<typeof createClient>;

const MAX_WINDOW = 10_000;

/** A server's API. Every method rejects with a `NitariError` where the server says no, or nothing. */
export function createClient({ baseUrl, token, collection = "default", ...transport }: ClientOptions) {
  const http = createFetchClient<paths>({
    baseUrl: baseUrl.replace(/\/+$/, ""),
    fetch: patientFetch(transport),
    headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
  });
  const here = { c: collection };

  const searchIn = (c: string, query: Search): Promise<Answer> =>
    take(http.POST("/v1/collections/{c}/search", { params: { path: { c } }, body: jsonOrForm(query) }));

  const search = (query: Search): Promise<Answer> => searchIn(collection, query);

  const job = (job_id: string): Promise<Job> => take(http.GET("/v1/jobs/{job_id}", { params: { path: { job_id } } }));

  return {
    /** Find look-alikes of a photo, a URL, an item, a vector or a kept photo. */
    search,

    /**
     * Every hit of a search, fetched page by page as it is read: at most 10,000, each item once, all from one
     * collection, whatever an alias leads to by then. `k` is the size of a page.
     */
    async *searchAll(query: Search): AsyncGenerator<Hit, void, undefined> {
      const seen = new Set<string>();
      const { k = 100 } = query;
      let from = collection;
      for (let offset = query.offset ?? 0; offset < MAX_WINDOW; ) {
        const page = await searchIn(from, { ...query, offset, k: Math.min(k, MAX_WINDOW - offset) });
        from = page.collection;
        for (const hit of page.hits) {
          if (!seen.has(hit.item_id)) yield hit;
          seen.add(hit.item_id);
        }
        if (!page.more || page.hits.length === 0) return;
        offset += page.hits.length;
      }
    },

    /** Find the products on a photo. */
    detect: (query: Detect) =>
      take(http.POST("/v1/collections/{c}/detect", { params: { path: here }, body: jsonOrForm(query) })),

    /** Which parts of a query's photo make it like a hit, and which parts of the hit's. Takes a second or two. */
    heatmap: (query: Heatmap) =>
      take(http.POST("/v1/collections/{c}/heatmap", { params: { path: here }, body: jsonOrForm(query) })),

    /** Find items like some and unlike others. */
    recommend: (body: Schemas["RecommendBody"]) =>
      take(http.POST("/v1/collections/{c}/recommend", { params: { path: here }, body })),

    /** Count attributes' values over all items that pass a filter. */
    facets: (body: Schemas["FacetsBody"]) =>
      take(http.POST("/v1/collections/{c}/facets", { params: { path: here }, body })),

    /** An item as the catalog has it. */
    getItem: (item_id: string) =>
      take(http.GET("/v1/collections/{c}/items/{item_id}", { params: { path: { ...here, item_id } } })),

    /** A few items spread over the catalog, to show what there is. */
    sampleItems: async (limit = 12): Promise<Item[]> =>
      (await take(http.GET("/v1/collections/{c}/items", { params: { path: here, query: { limit } } }))).items,

    /** Insert or replace an item; `photos` are uploaded and come before its `image_links`. */
    putItem(item_id: string, item: Schemas["ItemBody"], photos: readonly Photo[] = []): Promise<Edit> {
      const body = photos.length === 0 ? item : form({ item }, "photo", photos);
      return take(
        http.PUT("/v1/collections/{c}/items/{item_id}", {
          params: { path: { ...here, item_id } },
          body: body as Schemas["ItemBody"],
        }),
      );
    },

    /** Delete an item. */
    deleteItem: (item_id: string) =>
      take(http.DELETE("/v1/collections/{c}/items/{item_id}", { params: { path: { ...here, item_id } } })),

    /**
     * Carry out many edits in order, `batchItems` in a request; yields what became of each. Nothing is sent but what
     * is read: use `for await`. An edit that fails throws nothing: its result has a `status` of 400 or more.
     */
    async *editItems(
      operations: Iterable<Operation> | AsyncIterable<Operation>,
      { batchItems = 64, batchBytes = 4 * 2 ** 20 }: { batchItems?: number; batchBytes?: number } = {},
    ): AsyncGenerator<Edit, void, undefined> {
      for await (const batch of batches(operations, batchItems, batchBytes)) {
        const done = await take(
          http.POST("/v1/collections/{c}/items:batch", { params: { path: here }, body: { operations: batch } }),
        );
        yield* done.results;
      }
    },

    /** An item's photo as a small JPEG. */
    photo: (item_id: string, options: { link?: string; size?: number } = {}): Promise<Blob> =>
      take(
        http.GET("/v1/collections/{c}/photos/{item_id}", {
          params: { path: { ...here, item_id }, query: options },
          parseAs: "blob",
        }),
      ) as Promise<Blob>,

    /** The address of a path that an answer names (`thumbnail`, `photo`), for an `<img>`; `size` in pixels. */
    photoUrl(path: string, size?: number): string {
      const url = baseUrl.replace(/\/+$/, "") + path;
      return size === undefined ? url : `${url}${path.includes("?") ? "&" : "?"}size=${size}`;
    },

    /** Keep a photo on the server for some time, for a link that restores a search. */
    keepQueryPhoto: (photo: Photo) =>
      take(
        http.POST("/v1/collections/{c}/query-photos", {
          params: { path: here },
          body: form({}, "photo", [photo]) as never,
        }),
      ),

    /** A kept photo. */
    queryPhoto: (photo_id: string): Promise<Blob> =>
      take(
        http.GET("/v1/collections/{c}/query-photos/{photo_id}", {
          params: { path: { ...here, photo_id } },
          parseAs: "blob",
        }),
      ) as Promise<Blob>,

    /** Delete a kept photo. */
    async forgetQueryPhoto(photo_id: string): Promise<void> {
      await take(
        http.DELETE("/v1/collections/{c}/query-photos/{photo_id}", { params: { path: { ...here, photo_id } } }),
      );
    },

    /** Have the server import a feed: an `http(s)` URL, or a feed file that is uploaded. */
    importFeed(feed: string | Blob, options: Omit<Schemas["ImportBody"], "feed"> = {}): Promise<Job> {
      const body = typeof feed === "string" ? { feed, ...options } : form({ options }, "feed", [feed]);
      return take(http.POST("/v1/jobs", { body: body as Schemas["ImportBody"] }));
    },

    /** A job as it is now. */
    job,

    /** Jobs, newest first. */
    jobs: async (): Promise<Job[]> => (await take(http.GET("/v1/jobs"))).jobs,

    /** Wait until a job has succeeded; rejects where it failed, was canceled, or takes longer than `timeoutMs`. */
    async wait(job_id: string, { timeoutMs = Infinity, pollMs = 500 } = {}): Promise<Job> {
      const deadline = Date.now() + timeoutMs;
      for (;;) {
        const seen = await job(job_id);
        if (seen.state === "succeeded") return seen;
        if (seen.problem) throw errorOf(seen.problem.status, seen.problem);
        if (seen.state === "failed" || seen.state === "canceled" || Date.now() >= deadline) {
          throw new NitariError(`job ${job_id} is ${seen.state}`, { status: 0, code: "job" });
        }
        await pause(pollMs);
      }
    },

    /** Run a failed or canceled job again. */
    retryJob: (job_id: string) => take(http.POST("/v1/jobs/{job_id}:retry", { params: { path: { job_id } } })),

    /** Stop a job; what it has committed stays. */
    cancelJob: (job_id: string) => take(http.POST("/v1/jobs/{job_id}:cancel", { params: { path: { job_id } } })),

    /** All aliases: the collection that each names, and the one before. */
    aliases: async (): Promise<Alias[]> => (await take(http.GET("/v1/aliases"))).aliases,

    /**
     * Let an alias name a collection. Where the answer's `serving` is true, every search that begins now is answered
     * from there.
     */
    setAlias: (alias: string, collection: string): Promise<Alias> =>
      take(http.PUT("/v1/aliases/{alias}", { params: { path: { alias } }, body: { collection } })),

    /** Let an alias name what it named before; once more leads forth again. */
    setAliasBack: (alias: string): Promise<Alias> =>
      take(http.POST("/v1/aliases/{alias}:back", { params: { path: { alias } } })),

    /** Snapshots of the server's home, oldest first. */
    snapshots: async (): Promise<Snapshot[]> => (await take(http.GET("/v1/snapshots"))).snapshots,

    /** Save a snapshot; it is published when this resolves, which may take minutes: see `timeoutMs`. */
    saveSnapshot: () => take(http.POST("/v1/snapshots")),

    /** Names of all collections that the server has open: what an alias names, or named before. */
    collections: async (): Promise<string[]> => (await take(http.GET("/v1/collections"))).collections,

    /** This client's collection: what can be asked of it, and the server's limits. */
    collection: () => take(http.GET("/v1/collections/{c}", { params: { path: here } })),

    /** Counts of the catalog and of the server process. */
    stats: () => take(http.GET("/v1/stats")),

    /** Whether searches can be answered, and from what. */
    ready: () => take(http.GET("/readyz")),
  };
}

/** The data of an answer, or its problem as an error. */
async function take<T>(answer: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok) throw errorOf(response.status, error);
  return data as T;
}

/** A question as JSON, or as a form where a photo goes with it. The library sends a form as it is. */
function jsonOrForm<T extends object>({ photo, ...options }: T & { photo?: Photo }): never {
  if (photo === undefined) return options as never;
  return form(Object.keys(options).length === 0 ? {} : { options }, "photo", [photo]) as never;
}

function form(fields: Record<string, unknown>, name: string, files: readonly Photo[]): FormData {
  const body = new FormData();
  for (const [field, value] of Object.entries(fields)) body.append(field, JSON.stringify(value));
  for (const file of files) {
    const blob = file instanceof Blob ? file : new Blob([file as BlobPart]);
    body.append(name, blob, blob instanceof File ? blob.name : name);
  }
  return body;
}

/** Groups of operations, bounded in number and in bytes; an operation that is larger goes alone. */
async function* batches(
  operations: Iterable<Operation> | AsyncIterable<Operation>,
  mostItems: number,
  mostBytes: number,
): AsyncGenerator<Operation[], void, undefined> {
  const frame = '{"operations":[]}'.length;
  const encoder = new TextEncoder();
  let waiting: Operation[] = [];
  let size = frame;
  for await (const operation of operations) {
    const bytes = encoder.encode(JSON.stringify(operation)).length + 1;
    if (waiting.length > 0 && (waiting.length >= mostItems || size + bytes > mostBytes)) {
      yield waiting;
      waiting = [];
      size = frame;
    }
    waiting.push(operation);
    size += bytes;
  }
  if (waiting.length > 0) yield waiting;
}
