"""One coherent example of each answer, for the OpenAPI document; the tests hold each to its schema."""

from __future__ import annotations

from typing import Any

Example = dict[str, Any]

REGION: Example = {"box": [0.2, 0.1, 0.8, 0.9], "label": "product", "score": 0.94}
PHOTO = "/v1/collections/default/photos/24-mb01?link=images%2F24-mb01.jpg"
ATTRIBUTES: Example = {"gender": "female", "price": 34.0, "color": ["navy", "white"]}
TIMING: Example = {"decode": 4.1, "regions": 21.7, "embed": 13.9, "search": 0.6, "total": 40.4}
FACET: Example = {
    "name": "gender",
    "values": [{"value": "female", "count": 120}, {"value": "male", "count": 84}],
    "low": None,
    "high": None,
}
HIT: Example = {
    "item_id": "24-mb01",
    "item_group_id": "24-mb",
    "score": 0.8312,
    "title": "Joust duffle bag",
    "link": "https://shop.example/24-mb01",
    "image": "images/24-mb01.jpg",
    "thumbnail": PHOTO,
    "box": [0.1, 0.05, 0.9, 0.95],
    "attributes": ATTRIBUTES,
    "duplicates": ["24-mb01-outlet"],
    "why": {
        "similarity": 0.78,
        "contributions": {"shape": 0.59, "color": 0.11, "texture": 0.05, "aspect": 0.03},
        "category": 0.04,
        "rerank": 0.01,
    },
}
STEP: Example = {
    "part": "live",
    "rows": 420,
    "allowed": 204,
    "how": "scan",
    "reason": "scan 31 us < gather 38 us",
    "probes": 0,
    "candidates": 204,
    "ms": 0.05,
}
ANSWER: Example = {
    "collection": "nitari-fashion",
    "hits": [HIT],
    "more": True,
    "total": 204,
    "facets": [FACET],
    "regions": [REGION],
    "query_box": [0.2, 0.1, 0.8, 0.9],
    "timing_ms": TIMING,
    "seq": 1204,
    "plan": [STEP],
    "category": {"value": "Gear > Bags", "probability": 0.93},
    "worn": 0.04,
    "familiarity": 0.99,
}
HEAT: Example = {
    "image": "images/24-mb01.jpg",
    "box": [0.0, 0.0, 1.0, 1.0],
    "rows": 2,
    "cols": 2,
    "values": [[0.0, 0.4], [0.1, 1.0]],
    "fall": 0.21,
}
HEATMAP: Example = {
    "collection": "nitari-fashion",
    "similarity": 0.78,
    "query": {**HEAT, "image": None},
    "query_reason": "",
    "hit": HEAT,
    "hit_reason": "",
    "timing_ms": {"query": 710.4, "hit": 698.2, "total": 1408.6},
}
ALIAS: Example = {
    "alias": "default",
    "collection": "nitari-fashion",
    "previous": "efficientnet-lite0",
    "since": "2026-11-24T09:30:00Z",
    "serving": True,
}
SNAPSHOTS_URL = "s3://shop-backups/nitari"
SNAPSHOT: Example = {"number": 7, "at": "2026-11-24T03:00:00Z", "seq": 1204, "size": 52428800, "damaged": None}
SAVED: Example = {"number": 8, "seq": 1311, "size": 52430000, "sent": 1048576}
DETECTION: Example = {
    "width": 3024,
    "height": 4032,
    "regions": [REGION],
    "timing_ms": {"decode": 4.1, "regions": 21.7, "total": 25.9},
}
FACETS: Example = {"facets": [FACET], "total": 204, "seq": 1204}
ITEM_BODY: Example = {
    "title": "Joust duffle bag",
    "item_group_id": "24-mb",
    "image_links": ["https://shop.example/photos/24-mb01.jpg"],
    "attributes": ATTRIBUTES,
}
ITEM: Example = {
    "item_id": "24-mb01",
    "item_group_id": "24-mb",
    "title": "Joust duffle bag",
    "feed_id": None,
    "image_links": ["https://shop.example/photos/24-mb01.jpg"],
    "images": [
        {
            "link": "https://shop.example/photos/24-mb01.jpg",
            "photo": "/v1/collections/default/photos/24-mb01?link=https%3A%2F%2Fshop.example%2Fphotos%2F24-mb01.jpg",
            "width": 800,
            "height": 1000,
            "regions": [REGION],
        }
    ],
    "attributes": ATTRIBUTES,
    "seq": 1204,
}
EDIT: Example = {
    "item_id": "24-mb01",
    "result": "created",
    "status": 201,
    "rejections": [],
    "image_links": ["https://shop.example/photos/24-mb01.jpg"],
}
DELETED: Example = {
    "item_id": "24-mb01",
    "result": "deleted",
    "status": 200,
    "rejections": [],
    "image_links": [],
}
BATCH_BODY: Example = {
    "operations": [
        {"op": "put", "item_id": "24-mb01", "item": ITEM_BODY},
        {"op": "delete", "item_id": "24-mb02"},
    ]
}
BATCH: Example = {"results": [EDIT, {**DELETED, "item_id": "24-mb02"}], "failed": 0, "seq": 1206}
COLLECTION: Example = {
    "name": "nitari-fashion",
    "aliases": ["default"],
    "dim": 2560,
    "items": 204,
    "groups": 88,
    "keys": 420,
    "seq": 1204,
    "attributes": [{"name": "gender", "kinds": ["text"], "items": 204, "distinct": 2}],
    "facets": ["gender", "price"],
    "emphasis": True,
    "keeps_query_photos": True,
    "query_photo_days": 30,
    "limits": {
        "max_body_bytes": 34603008,
        "max_pixels": 100000000,
        "max_k": 1000,
        "max_window": 10000,
        "max_batch": 1000,
    },
}
COLLECTIONS: Example = {"collections": ["nitari-fashion"]}
STATS: Example = {
    "version": "0.1.0",
    "collection": "nitari-fashion",
    "items": 204,
    "groups": 88,
    "images": 420,
    "rejections": 1,
    "feeds": {"feed.csv": 204},
    "catalog_seq": 1204,
    "served_seq": 1204,
    "uptime_s": 86400.0,
    "waiting": 0,
}
QUERY_PHOTO: Example = {
    "photo_id": "q3uO0nq1Rk2mN7vFhWcT5g",
    "photo": "/v1/collections/default/query-photos/q3uO0nq1Rk2mN7vFhWcT5g",
    "expires_at": "2026-12-24T09:30:00Z",
}
JOB: Example = {
    "job_id": "00063f1c2b7a90004f1d2c3b4a596877",
    "kind": "import",
    "state": "running",
    "feed": "https://shop.example/feed.xml",
    "feed_id": "https://shop.example/feed.xml",
    "sync": False,
    "allow_delete": False,
    "created_at": "2026-11-24T09:30:00Z",
    "started_at": "2026-11-24T09:30:01Z",
    "finished_at": None,
    "progress": {
        "total": 204,
        "rows": 64,
        "indexed": 60,
        "updated": 0,
        "unchanged": 3,
        "rejected": 1,
        "kept": 0,
        "photos": 120,
        "deleted": 0,
        "seconds": 9.4,
    },
    "problem": None,
}
JOBS: Example = {"jobs": [JOB]}
READY: Example = {"status": "ok", "collection": "nitari-fashion", "items": 204, "seq": 1204}
SESSION: Example = {"needed": True, "granted": False}
METRICS = 'nitari_stage_seconds_count{stage="total"} 1042.0\n'
