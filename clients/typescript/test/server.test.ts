// The client against a real server: NITARI_URL says where; tests/acceptance/test_clients.py starts it and calls this.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { createClient, NitariError, type Operation } from "../src/index.js";

const { NITARI_URL: baseUrl = "", NITARI_TOKEN: token = "", NITARI_PHOTO: path = "" } = process.env;

// What the photo shows: tests/support/shop.py makes the items and the photos.
const ITEM = "i0003";

test("everything against a real server", { skip: baseUrl === "" && "NITARI_URL is not set" }, async (t) => {
  const client = createClient({ baseUrl, token });
  const photo = await readFile(path);

  await t.test("what there is", async () => {
    assert.equal((await client.ready()).status, "ok");
    const collection = await client.collection();
    assert((await client.collections()).includes(collection.name));
    assert(collection.limits.max_k >= 1000);
    assert.equal((await client.stats()).items, collection.items);
    assert.equal((await client.sampleItems(3)).length, 3);
  });

  await t.test("search by photo, with options", async () => {
    const found = await client.search({ photo, k: 2, region: [0, 0, 1, 1], facets: ["color"] });
    assert.equal(found.hits[0]?.item_id, ITEM);
    assert.equal(found.hits.length, 2);
    assert.equal(found.facets[0]?.name, "color");
    const { regions, width } = await client.detect({ photo });
    assert(width > 0 && Array.isArray(regions));
  });

  await t.test("search by item, recommend, count", async () => {
    const found = await client.search({ item_id: ITEM, filter: { color: "red" }, k: 3 });
    assert(found.hits.every(({ attributes }) => attributes["color"] === "red"));
    const liked = await client.recommend({ liked: [ITEM], disliked: ["i0001"] });
    assert(!liked.hits.some(({ item_id }) => item_id === ITEM));
    assert.equal((await client.facets({ names: ["color"] })).facets[0]?.values.length, 3);
  });

  await t.test("page through everything", async () => {
    const ids = new Set<string>();
    for await (const hit of client.searchAll({ photo, k: 5 })) ids.add(hit.item_id);
    assert.equal(ids.size, (await client.stats()).items);
  });

  await t.test("put, see, delete", async () => {
    const id = "from typescript/鞄";
    const edit = await client.putItem(id, { title: "Mine", attributes: { price: 12.5, sale: true } }, [photo]);
    assert.equal(edit.result, "created");
    const item = await client.getItem(id);
    assert.deepEqual(item.attributes, { price: 12.5, sale: true });
    assert.equal((await client.search({ photo, filter: { price: 12.5 } })).hits[0]?.item_id, id);
    const picture = await client.photo(id, { size: 32 });
    assert.equal(picture.type, "image/jpeg");
    const [image] = item.images;
    assert(image);
    const seen = await fetch(client.photoUrl(image.photo, 32), { headers: { Authorization: `Bearer ${token}` } });
    assert.equal(seen.status, 200);

    const links = edit.image_links;
    const edits: Operation[] = [
      { op: "put", item_id: "ts-1", item: { image_links: links } },
      { op: "delete", item_id: "ts-1" },
      { op: "delete", item_id: "nothing" },
    ];
    const results: string[] = [];
    for await (const { result } of client.editItems(edits, { batchItems: 2 })) results.push(result);
    assert.deepEqual(results, ["created", "deleted", "absent"]);
    assert.equal((await client.deleteItem(id)).result, "deleted");
    await assert.rejects(client.getItem(id), { status: 404, code: "not-found" });
  });

  await t.test("a query photo that is kept", async () => {
    const kept = await client.keepQueryPhoto(photo);
    assert.equal((await client.search({ photo_id: kept.photo_id, k: 1 })).hits[0]?.item_id, ITEM);
    assert((await client.queryPhoto(kept.photo_id)).size > 0);
    await client.forgetQueryPhoto(kept.photo_id);
    await assert.rejects(client.queryPhoto(kept.photo_id), { status: 404 });
  });

  await t.test("an import", async () => {
    // Nothing listens there, and it may not be asked: the row is rejected, which is not the job's failure.
    const feed = new File(["id,title,image_link\nts-2,Two,http://127.0.0.1:9/x.jpg\n"], "feed.csv");
    const job = await client.importFeed(feed, { feed_id: "typescript" });
    const done = await client.wait(job.job_id, { pollMs: 50, timeoutMs: 60_000 });
    assert.equal(done.progress?.rejected, 1);
    assert((await client.jobs()).some(({ job_id }) => job_id === job.job_id));
    await assert.rejects(client.retryJob(job.job_id), { status: 409 });
    await assert.rejects(client.cancelJob(job.job_id), { status: 409 });
  });

  await t.test("aliases", async () => {
    const { name } = await client.collection();
    const alias = await client.setAlias("from-typescript", name);
    assert.deepEqual([alias.collection, alias.previous, alias.serving], [name, null, true]);
    assert((await client.aliases()).some(({ alias }) => alias === "from-typescript"));
    const other = createClient({ baseUrl, token, collection: "from-typescript" });
    const found = await other.search({ item_id: ITEM, k: 1, explain: true });
    assert.equal(found.collection, name);
    assert.equal(found.plan?.[0]?.part, "live");
    await assert.rejects(client.setAliasBack("from-typescript"), { status: 404 });
    await assert.rejects(client.setAlias("from-typescript", "absent"), { status: 404, code: "not-found" });
  });

  await t.test("snapshots", async () => {
    const saved = await client.saveSnapshot();
    const listed = (await client.snapshots()).at(-1);
    assert.equal(listed?.number, saved.number);
    assert.equal(listed.seq, saved.seq);
  });

  await t.test("mistakes", async () => {
    await assert.rejects(client.search({ item_id: ITEM, k: 0 }), (error: unknown) => {
      assert(error instanceof NitariError);
      assert.equal(error.status, 422);
      assert.equal(error.errors[0]?.field, "k");
      return true;
    });
    const stranger = createClient({ baseUrl, token: "not the token of this server" });
    await assert.rejects(stranger.stats(), { status: 401 });
  });
});
