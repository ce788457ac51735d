// The client against answers that the test makes up: what is sent, what becomes of failures.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createClient, NitariError, type Operation } from "../src/index.js";

interface Sent {
  method: string;
  url: string;
  token: string | null;
  body: string;
}

/** A client whose requests are remembered and answered in turn, the last answer for ever. */
function scripted(...answers: (() => Response)[]) {
  const sent: Sent[] = [];
  const client = createClient({
    baseUrl: "http://shop.example/nitari/",
    token: "secret",
    fetch: async (request) => {
      const { method, url, headers } = request;
      sent.push({ method, url, token: headers.get("Authorization"), body: await request.text() });
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      assert(answer);
      return answer();
    },
  });
  return { client, sent };
}

const json = (body: unknown, status = 200, headers: Record<string, string> = {}) => () =>
  Response.json(body, { status, headers });

const answer = (ids: string[], more: boolean) =>
  json({ collection: "card", hits: ids.map((item_id) => ({ item_id })), more, total: 9, facets: [], regions: [], timing_ms: {}, seq: 1 });

const busy = json({ title: "", status: 503, detail: "64 wait", code: "busy" }, 503, { "Retry-After": "0" });

test("a search by item is JSON, below the base URL, with the token", async () => {
  const { client, sent } = scripted(answer(["b"], false));
  const found = await client.search({ item_id: "a", k: 3, filter: { price: { lt: 50 } } });
  assert.equal(found.hits[0]?.item_id, "b");
  assert.equal(sent[0]?.url, "http://shop.example/nitari/v1/collections/default/search");
  assert.equal(sent[0].token, "Bearer secret");
  assert.deepEqual(JSON.parse(sent[0].body), { item_id: "a", k: 3, filter: { price: { lt: 50 } } });
});

test("photos of every kind go in a form with the options", async () => {
  const bytes = new TextEncoder().encode("jpeg-bytes");
  for (const photo of [bytes, bytes.buffer, new Blob([bytes]), Buffer.from(bytes), new File([bytes], "a.jpg")]) {
    const { client, sent } = scripted(answer([], false));
    await client.search({ photo, k: 3 });
    assert.match(sent[0]?.body ?? "", /name="options"\r\n\r\n\{"k":3\}[^]*name="photo"[^]*jpeg-bytes/);
  }
});

test("why a hit is a hit, and where", async () => {
  const why = { similarity: 0.7, contributions: { shape: 0.5, color: 0.2 }, category: 0.1, rerank: 0 };
  const { client, sent } = scripted(
    json({ collection: "card", hits: [{ item_id: "b", why }], more: false, total: 1, facets: [], regions: [], timing_ms: {}, seq: 1 }),
    json({ query: null, query_reason: "gone", hit: { rows: 1, cols: 2, values: [[0, 1]], fall: 0.2 } }),
  );
  const [hit] = (await client.search({ item_id: "a", why: true })).hits;
  assert.deepEqual(JSON.parse(sent[0]?.body ?? ""), { item_id: "a", why: true });
  const shape: number | undefined = hit?.why?.contributions["shape"];
  assert.equal(shape, 0.5);
  const maps = await client.heatmap({ item_id: "a", hit: "b" });
  assert.equal(sent[1]?.url, "http://shop.example/nitari/v1/collections/default/heatmap");
  assert.deepEqual(JSON.parse(sent[1].body), { item_id: "a", hit: "b" });
  assert.equal(maps.hit?.values[0]?.[1], 1);
  assert.equal(maps.query, null);
});

test("item ids stay one segment of the path", async () => {
  const { client, sent } = scripted(json({}));
  await client.getItem("a/b c?#鞄");
  assert.equal(sent[0]?.url, "http://shop.example/nitari/v1/collections/default/items/a%2Fb%20c%3F%23%E9%9E%84");
});

test("pages are fetched as they are read, each item once", async () => {
  const { client, sent } = scripted(answer(["a", "b"], true), answer(["b", "c"], true), answer([], true));
  const ids: string[] = [];
  for await (const hit of client.searchAll({ item_id: "q", k: 2 })) ids.push(hit.item_id);
  assert.deepEqual(ids, ["a", "b", "c"]);
  assert.deepEqual(sent.map(({ body }) => (JSON.parse(body) as { offset: number }).offset), [0, 2, 4]);
  const asked = sent.map(({ url }) => url.split("/").at(-2));
  assert.deepEqual(asked, ["default", "card", "card"], "what answered first goes on answering");
});

test("edits go in bounded requests", async () => {
  const { client, sent } = scripted(json({ results: [{ status: 404 }], failed: 1, seq: 1 }));
  const edits: Operation[] = ["a", "b", "c"].map((item_id) => ({ op: "delete", item_id }));
  const statuses: number[] = [];
  for await (const edit of client.editItems(edits, { batchItems: 2 })) statuses.push(edit.status);
  assert.deepEqual(statuses, [404, 404]);
  assert.equal(sent.length, 2);
});

test("an alias is switched and switched back", async () => {
  const { client, sent } = scripted(json({ alias: "default", collection: "new", serving: true }));
  assert((await client.setAlias("default", "new")).serving);
  await client.setAliasBack("default");
  assert.deepEqual(
    sent.map(({ method, url, body }) => [method, url, body]),
    [
      ["PUT", "http://shop.example/nitari/v1/aliases/default", '{"collection":"new"}'],
      ["POST", "http://shop.example/nitari/v1/aliases/default:back", ""],
    ],
  );
});

test("a problem becomes an error that says everything", async () => {
  const errors = [{ field: "k", found: "0", expected: "1-1000" }];
  const { client } = scripted(json({ status: 422, detail: "k is 0", code: "request", remedy: "ask more", errors }, 422));
  await assert.rejects(client.search({ item_id: "a", k: 0 }), (error: unknown) => {
    assert(error instanceof NitariError);
    const { status, code, detail, remedy } = error;
    assert.deepEqual({ status, code, detail, remedy }, { status: 422, code: "request", detail: "k is 0", remedy: "ask more" });
    assert.deepEqual(error.errors, errors);
    return true;
  });
});

test("a proxy's page is told from a problem", async () => {
  const { client } = scripted(() => new Response("<html>Bad Gateway", { status: 502 }));
  await assert.rejects(client.stats(), { name: "NitariError", status: 502, code: "answer" });
});

test("a busy server is asked again, with the whole body", async () => {
  const { client, sent } = scripted(busy, busy, json({ job_id: "j" }, 202));
  await client.importFeed(new File(["id,image_link\n"], "feed.csv"), { sync: true });
  assert.equal(sent.length, 3);
  for (const { body } of sent) assert.match(body, /"sync":true[^]*filename="feed\.csv"[^]*id,image_link/);
});

test("a server that stays busy is told of in the end", async () => {
  const { client, sent } = scripted(busy);
  await assert.rejects(client.stats(), { code: "busy", status: 503 });
  assert.equal(sent.length, 4);
});

test("no answer is an error of its own", async () => {
  const client = createClient({ baseUrl: "http://127.0.0.1:9" });
  await assert.rejects(client.stats(), { name: "NitariError", status: 0, code: "unreachable" });
});

test("a slow answer is given up", async () => {
  const client = createClient({
    baseUrl: "http://shop.example",
    timeoutMs: 5,
    fetch: (request) =>
      new Promise((_resolve, reject) => {
        request.signal.addEventListener("abort", () => reject(request.signal.reason as Error));
      }),
  });
  // A real request holds the process up; this one does not, and neither do timeouts of signals.
  const alive = setInterval(() => {}, 1000);
  await assert.rejects(client.stats(), { code: "unreachable" });
  clearInterval(alive);
});

test("a failed job is an error with its problem", async () => {
  const problem = { status: 422, detail: "the feed is empty", code: "feed", remedy: "fill it" };
  const { client } = scripted(json({ state: "running" }), json({ state: "failed", problem }));
  await assert.rejects(client.wait("j", { pollMs: 1 }), { code: "feed", remedy: "fill it" });
});

test("addresses of pictures", () => {
  const { client } = scripted();
  assert.equal(client.photoUrl("/v1/p?link=a", 64), "http://shop.example/nitari/v1/p?link=a&size=64");
  assert.equal(client.photoUrl("/v1/p", 64), "http://shop.example/nitari/v1/p?size=64");
});
