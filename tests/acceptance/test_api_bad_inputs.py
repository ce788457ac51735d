"""Whatever is sent to the API, it says what was wrong with it, shows nothing of itself, and goes on serving.

Bad photos are those of part 1 (``support.bad_inputs``), through every way a photo can take.
"""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import httpx
import pytest

from support.api import API, MAX_BODY, MAX_RSS_MB, Probed, probing
from support.bad_inputs import write_bad_images
from support.good_inputs import write_good_images
from support.picture import jpeg, noisy
from support.server import PATIENCE_S, run_cli
from support.shop import make_shop

MIN_KINDS = 60
JPEG = {"Content-Type": "image/jpeg"}
JSON = {"Content-Type": "application/json"}
PHOTO = jpeg(noisy())


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory, model_store: object) -> Iterator[Probed]:
    """A small shop, served to everybody on this machine."""
    folder = tmp_path_factory.mktemp("probed")
    run_cli(folder / "home", "import", str(make_shop(folder / "shop", 6).folder))
    with probing(folder / "home") as server:
        yield server


Send: TypeAlias = Callable[[httpx.Client, bytes], httpx.Response]


def _raw(path: str) -> Send:
    return lambda client, photo: client.post(API + path, content=photo, headers=JPEG)


def _form(path: str) -> Send:
    return lambda client, photo: client.post(API + path, files={"photo": ("a.jpg", photo, "image/jpeg")})


def _put(client: httpx.Client, photo: bytes) -> httpx.Response:
    return client.put(f"{API}/items/with-a-photo", files={"photo": photo}, data={"item": '{"title": "T"}'})


WAYS: dict[str, Send] = {
    "search, body": _raw("/search"),
    "search, form": _form("/search"),
    "detect, body": _raw("/detect"),
    "detect, form": _form("/detect"),
    "query photo, body": _raw("/query-photos"),
    "query photo, form": _form("/query-photos"),
    "put": _put,
}


@pytest.fixture(scope="module")
def bad_photos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, str]]:
    """Every bad photo that is a file, with its code, by name."""
    folder = tmp_path_factory.mktemp("bad") / "photos"
    codes = write_bad_images(folder)
    files = {name: folder / name for name in codes}
    sendable = {name: path for name, path in files.items() if path.is_file() and not path.is_symlink()}
    assert len(sendable) >= MIN_KINDS
    return {name: (path.read_bytes(), codes[name]) for name, path in sendable.items()}


@pytest.fixture(scope="module")
def good_photos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every odd but good photo, by name."""
    folder = tmp_path_factory.mktemp("good")
    return {name: (folder / name).read_bytes() for name in write_good_images(folder)}


@pytest.mark.parametrize("way", WAYS)
def test_bad_photos(probed: Probed, bad_photos: dict[str, tuple[bytes, str]], way: str) -> None:
    """Each kind of bad photo is a 422 with its own code, a reason and a remedy, whichever way it takes."""
    found = {}
    for name, (photo, _) in bad_photos.items():
        body = probed.check(WAYS[way](probed.client, photo), 422)
        assert len(body["remedy"]) > 8, (name, body)
        assert way != "put" or len(body["errors"]) == 1, (name, body)
        found[name] = body["code"]
    assert found == {name: code for name, (_, code) in bad_photos.items()}
    assert probed.client.get(f"{API}/items/with-a-photo").status_code == 404
    assert probed.peak_mb() < MAX_RSS_MB
    probed.alive()


@pytest.mark.parametrize("way", WAYS)
def test_odd_but_good_photos(probed: Probed, good_photos: dict[str, bytes], way: str) -> None:
    """Photos that are only unusual are answered like any other."""
    for name, photo in good_photos.items():
        response = WAYS[way](probed.client, photo)
        assert response.status_code in (200, 201), (name, response.text)
    if way == "put":
        assert probed.client.delete(f"{API}/items/with-a-photo").status_code == 200
    assert probed.peak_mb() < MAX_RSS_MB


DEEP = '{"not":' * 20 + "{}" + "}" * 20
# Deeper than any parser's stack; and an integer of more digits than Python turns into one.
DEEPEST, LONGEST = "[" * 200_000 + "]" * 200_000, "9" * 10_000


@pytest.mark.parametrize(
    "body",
    [
        "", "null", "[]", "1", '"x"', "{", "{}", '{"item_id": }', "{'item_id': 'i0001'}", '{"item_id": "i0001"} x',
        '{"item_id": 1}', '{"item_id": ["i0001"]}', '{"item_id": ""}', '{"item_id": "' + "x" * 513 + '"}',
        '{"item_id": "i0001", "url": "https://shop.example/a.jpg"}', '{"item_id": "i0001", "item_id": "i0002"}',
        '{"item_id": "i0001", "unknown": 1}', '{"item_id": "i0001", "k": 0}', '{"item_id": "i0001", "k": 1001}',
        '{"item_id": "i0001", "k": 1.5}', '{"item_id": "i0001", "k": "ten"}', '{"item_id": "i0001", "k": -1}',
        '{"item_id": "i0001", "k": null}', '{"item_id": "i0001", "k": 1e999}', '{"item_id": "i0001", "offset": -1}',
        '{"item_id": "i0001", "offset": 9999, "k": 1000}', '{"item_id": "i0001", "min_score": 2}',
        '{"item_id": "i0001", "min_score": NaN}', '{"item_id": "i0001", "min_score": Infinity}',
        '{"item_id": "i0001", "group_by": "color"}', '{"item_id": "i0001", "region": [0, 0, 1]}',
        '{"url": "https://shop.example/a.jpg", "region": [1, 1, 0, 0]}', '{"item_id": "i0001", "region": [0, 0, 2, 2]}',
        '{"item_id": "i0001", "region": "left"}', '{"vector": []}', '{"vector": [0, 0]}', '{"vector": ["a"]}',
        '{"vector": [1e400]}', '{"vector": ' + json.dumps([0.0] * 1280) + "}",
        '{"vector": ' + json.dumps([1e308] * 1280) + "}", '{"vector": [1, null]}',
        '{"liked": []}', '{"disliked": ["i0001"]}', '{"item_id": "i0001", "liked": ' + json.dumps(["a"] * 101) + "}",
        '{"item_id": "i0001", "facets": ' + json.dumps([f"f{n}" for n in range(33)]) + "}",
        '{"item_id": "i0001", "facets": [""]}', '{"item_id": "i0001", "facet_limit": 0}',
        '{"photo_id": "../../etc/passwd"}', '{"photo_id": "AAAAAAAAAAAAAAAAAAAAAA"}', '{"photo_id": ""}',
        '{"url": ""}', '{"url": "https://"}', '{"url": "https://' + "a" * 5000 + '"}',
        '{"item_id": "no such item"}', '{"item_id": "i0001\\u0000"}', '{"item_id": "\\ud800"}', "\x00", "\xff\xfe",
        DEEPEST, '{"item_id": ' + DEEPEST + "}", '{"item_id": "i0001", "k": ' + LONGEST + "}",
    ],
)  # fmt: skip
def test_bad_json(probed: Probed, body: str) -> None:
    """What is not JSON, not the search that is documented, or not possible, is told as what it is."""
    found = probed.check(probed.client.post(f"{API}/search", content=body.encode("latin-1"), headers=JSON))
    assert found["remedy"] or found["errors"] or found["status"] == 404, found


@pytest.mark.parametrize(
    "wanted",
    [
        [], 1, "red", {"color": None}, {"color": {}}, {"color": {"gtr": 1}}, {"color": {"gt": None}},
        {"color": {"gt": [1]}}, {"color": [[]]}, {"color": []}, {"color": {"in": "red"}}, {"color": {"exists": 1}},
        {"and": {}}, {"or": []}, {"not": []}, {"not": 1}, {"": 1}, {"color": {"prefix": 1}},
        {"color": "x" * 10_000}, {"x" * 10_000: 1}, {"color": {"in": list(range(20_000))}},
        {"or": [{f"a{n}": n} for n in range(1000)]}, json.loads(DEEP), {"color": {"eq": {"eq": 1}}},
    ],
)  # fmt: skip
def test_bad_filters(probed: Probed, wanted: object) -> None:
    """Deep, huge, empty and mistyped filters are refused, for searches and for counts."""
    for path, body in (("/search", {"item_id": "i0001"}), ("/facets", {"names": ["color"]})):
        found = probed.check(probed.client.post(API + path, json={**body, "filter": wanted}), 400, 422)
        assert "filter" in found["code"] + found["detail"] + json.dumps(found["errors"]), found


def test_filters_that_are_as_large_as_may_be(probed: Probed) -> None:
    """Right below the limits, a filter is only a filter."""
    wanted = {"or": [{"color": {"in": [f"{n}-{m}" for m in range(30)]}} for n in range(120)]}
    for path, body in (("/search", {"item_id": "i0001"}), ("/facets", {"names": ["color"]})):
        answer = probed.client.post(API + path, json={**body, "filter": wanted})
        assert answer.status_code == 200, answer.text
        assert answer.json()["total"] == 0


def test_bad_forms(probed: Probed) -> None:
    """Forms without boundary, end or photo, of too many, too long or unknown parts, are refused."""
    photo = b'Content-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n' + PHOTO

    def form(*parts: bytes, boundary: bytes = b"x", end: bytes = b"--x--\r\n") -> bytes:
        return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + end

    kinds = "multipart/form-data; boundary=x"
    bodies: list[tuple[str, bytes]] = [
        ("multipart/form-data", form(photo)),
        ("multipart/form-data; boundary=", form(photo)),
        ("multipart/form-data; boundary=y", form(photo)),
        ("multipart/form-data; boundary=" + "x" * 5000, form(photo)),
        (kinds, b""),
        (kinds, b"--x"),
        (kinds, form()),
        (kinds, form(photo, end=b"")),
        (kinds, form(photo, photo)),
        (kinds, form(*[photo.replace(b'"photo"', b'"other"')])),
        (kinds, form(photo, b'Content-Disposition: form-data; name="options"\r\n\r\n{')),
        (kinds, form(photo, b'Content-Disposition: form-data; name="options"\r\n\r\n{"k": 0}')),
        (kinds, form(photo, b'Content-Disposition: form-data; name="options"\r\n\r\n\xff')),
        (kinds, form(photo, *[b'Content-Disposition: form-data; name="options"\r\n\r\n{}'] * 2)),
        (kinds, form(photo, *[b'Content-Disposition: form-data; name="f"\r\n\r\n'] * 5000)),
        (kinds, form(b"X-Long: " + b"y" * 1_000_000 + b"\r\n" + photo)),
        (kinds, form(b"X-Many: y\r\n" * 50_000 + photo)),
        (kinds, form(b"no header at all")),
        (kinds, form(b"\r\n" + PHOTO)),
        (kinds, form(b"Content-Disposition: attachment\r\n\r\n" + PHOTO)),
        (kinds, PHOTO),
        # Names that a browser may send, but not as ours: they must be read before they can be refused.
        (kinds, form(photo.replace(b'"photo"', '"写真"'.encode()))),
        (kinds, form(photo.replace(b'"photo"', b'"a\xf3\x8c\x8d\x8b\xff"'))),
        (kinds, form(photo.replace(b'name="photo"', b"name*=utf-8''%E5%86%99"))),
        ("multipart/form-data; boundary*=utf-8''%E5%86%99", form(photo)),
    ]
    for kind, body in bodies:
        response = probed.client.post(f"{API}/search", content=body, headers={"Content-Type": kind})
        probed.check(response, 400, 413, 422)
    response = probed.client.post(f"{API}/search", params={"options": "{}"}, files={"photo": PHOTO})
    probed.check(response, 422)
    put = probed.client.put(f"{API}/items/x", files=[("photo", PHOTO)] * 70, data={"item": "{}"})
    probed.check(put, 400, 422)
    probed.alive()


def test_parameters_that_nobody_knows(probed: Probed) -> None:
    """What stands in the query string and means nothing there is refused by name, not passed over."""
    for ask in (
        lambda given: probed.client.post(f"{API}/search", content=PHOTO, headers=JPEG, params=given),
        lambda given: probed.client.post(f"{API}/detect", content=PHOTO, headers=JPEG, params=given),
        lambda given: probed.client.post(f"{API}/search", json={"item_id": "i0001"}, params=given),
        lambda given: probed.client.get(f"{API}/items/i0001", params=given),
        lambda given: probed.client.get(f"{API}/photos/i0001", params=given),
    ):
        problem = probed.check(ask({"k": "4"}), 422)
        assert problem["errors"][0]["field"] == "k"
        assert "query parameter" in problem["detail"], problem
        assert ask({}).status_code == 200
    probed.alive()


@pytest.mark.parametrize(
    "name", ["写真.jpg", "a b'c.jpg", "../../etc/passwd", "x" * 1000, 'q"uote.jpg', "é", "CON", ""]
)
def test_file_names_do_not_matter(probed: Probed, name: str) -> None:
    """Whatever a client calls its file, in whatever script, only the content counts."""
    raw = name.replace('"', "%22").encode()
    head = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="' + raw + b'"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    response = probed.client.post(f"{API}/search", content=head + PHOTO + b"\r\n--x--\r\n", headers=headers)
    assert response.status_code == 200, response.text


def test_bad_bodies(probed: Probed) -> None:
    """Too long, compressed, of another kind, or cut off."""
    too_long = b"x" * (MAX_BODY + 1)
    for path in ("/search", "/detect", "/query-photos"):
        probed.check(probed.client.post(API + path, content=too_long, headers=JPEG), 413)
        probed.check(probed.client.post(API + path, content=iter([too_long]), headers=JPEG), 413)
        probed.check(probed.client.post(API + path, content=b"x", headers={"Content-Type": "text/plain"}), 415)
        probed.check(probed.client.post(API + path, content=PHOTO), 415)
    bomb = gzip.compress(b"\x00" * 50_000_000)
    for encoding in ("gzip", "deflate", "br", "gzip, gzip", "x"):
        headers = {**JPEG, "Content-Encoding": encoding}
        probed.check(probed.client.post(f"{API}/search", content=bomb, headers=headers), 415)
        headers = {**JSON, "Content-Encoding": encoding}
        probed.check(probed.client.put(f"{API}/items/x", content=bomb, headers=headers), 415)
    long_json = json.dumps({"item_id": "i0001", "filter": {"color": ["x" * 1000] * 4200}})
    probed.check(probed.client.post(f"{API}/search", content=long_json, headers=JSON), 413, 422)
    many = {"operations": [{"op": "delete", "item_id": f"x{n}"} for n in range(1001)]}
    probed.check(probed.client.post(f"{API}/items:batch", json=many), 422)
    assert probed.peak_mb() < MAX_RSS_MB
    probed.alive()


def test_callers_that_stall_or_leave(probed: Probed) -> None:
    """Bodies that never come hold up nobody else; callers that leave in the middle leave nothing behind."""
    parts = urlsplit(probed.server.url)
    address = (parts.hostname or "", parts.port or 0)
    begun = (
        f"POST {API}/search HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: image/jpeg\r\n"
        f"Content-Length: 100000\r\n\r\n"
    ).encode() + PHOTO[:50]
    with ExitStack() as stack:
        for sent in (begun, begun[:40], b"", b"GET / HTTP/1.1\r\nX: "):
            for _ in range(25):
                connection = stack.enter_context(socket.create_connection(address, timeout=PATIENCE_S))
                connection.sendall(sent)
        probed.alive()
    probed.alive()


@pytest.mark.parametrize(
    "item",
    [
        {"image_links": ["javascript:alert(1)"]},
        {"image_links": ["data:image/png;base64,AAAA"]},
        {"image_links": ["file:///etc/passwd"]},
        {"image_links": ["/etc/passwd"]},
        {"image_links": ["../secret.jpg"]},
        {"image_links": ["images/0001-0.jpg"]},
        {"image_links": ["upload:" + "0" * 64]},
        {"image_links": ["upload:../../catalog.db"]},
        {"image_links": ["http://nowhere.example/a.jpg"]},
        {"image_links": [""]},
        {"image_links": [f"http://nowhere.example/{n}.jpg" for n in range(33)]},
        {"image_links": "http://nowhere.example/a.jpg"},
        {"image_links": []},
        {},
        {"image_links": ["PHOTO"], "attributes": {"link": "javascript:alert(1)"}},
        {"image_links": ["PHOTO"], "attributes": {"link": " JaVaScRiPt:alert(1)"}},
        {"image_links": ["PHOTO"], "attributes": {"link": "data:text/html,<script>"}},
        {"image_links": ["PHOTO"], "attributes": {"link": "vbscript:x"}},
        {"image_links": ["PHOTO"], "attributes": {"color": None}},
        {"image_links": ["PHOTO"], "attributes": {"color": {"a": 1}}},
        {"image_links": ["PHOTO"], "attributes": {"": "x"}},
        {"image_links": ["PHOTO"], "attributes": {f"a{n}": 1 for n in range(257)}},
        {"image_links": ["PHOTO"], "attributes": {"color": "x" * 10_001}},
        {"image_links": ["PHOTO"], "title": "x" * 10_001},
        {"image_links": ["PHOTO"], "item_group_id": "a\x00b"},
        {"image_links": ["PHOTO"], "item_group_id": "x" * 513},
        {"image_links": ["PHOTO"], "id": "another"},
    ],
)
def test_bad_items(probed: Probed, item: dict[str, Any]) -> None:
    """Items with links that are none, impossible values, or no photo are refused, alone and in a batch."""
    kept = probed.client.put(f"{API}/items/good", files={"photo": PHOTO}, data={"item": "{}"}).json()
    if item.get("image_links") == ["PHOTO"]:
        item = {**item, "image_links": kept["image_links"]}
    assert kept["image_links"][0].startswith("upload:")
    found = probed.check(probed.client.put(f"{API}/items/bad", json=item), 400, 422)
    assert found["remedy"] or found["errors"], found
    batch = {"operations": [{"op": "put", "item_id": "bad", "item": item}, {"op": "delete", "item_id": "good"}]}
    response = probed.client.post(f"{API}/items:batch", json=batch)
    if response.status_code == 200:
        bad, good = response.json()["results"]
        assert bad["status"] in (400, 422), bad
        assert bad["rejections"], bad
        assert good["result"] == "deleted", "one bad edit stopped another"
        probed.keeps_to_itself(response.text)
    else:
        probed.check(response, 422)
    assert probed.client.get(f"{API}/items/bad").status_code == 404


def test_bad_ids(probed: Probed) -> None:
    """Ids that no item can have are refused, or name nothing; they never name a file."""
    for item_id in ("a%00b", "%00", "a%0ab", "%1b", "x" * 513, "%ff", "%ed%a0%80"):
        for method in ("GET", "PUT", "DELETE"):
            head = "Content-Type: application/json\r\nContent-Length: 2\r\n"
            target = f"{API}/items/{item_id}"
            host = urlsplit(probed.server.url).netloc
            status, text = probed.raw(
                f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{head}Connection: close\r\n\r\n{{}}".encode()
            )
            assert 400 <= status < 500, (method, item_id, status, text)
        assert probed.ask(f"{API}/photos/{item_id}")[0] in (400, 404, 422), item_id
    for size in ("0", "15", "2049", "-1", "x", "1e3", "99999999999999999999"):
        probed.check(probed.client.get(f"{API}/photos/i0001", params={"size": size}), 422)
    for photo_id in ("..", "../../catalog.db", "%2e%2e%2fcatalog.db", "a" * 22, "a" * 5000, "%00"):
        assert probed.ask(f"{API}/query-photos/{photo_id}")[0] in (400, 404, 422), photo_id
    probed.alive()


def test_bad_jobs(probed: Probed) -> None:
    """A job is an ``http(s)`` link or an uploaded feed; a file of the server, or no feed at all, is refused."""
    for body in (
        {}, {"feed": ""}, {"feed": 1}, {"feed": "/etc/passwd"}, {"feed": "file:///etc/passwd"},
        {"feed": "shop/feed.csv"}, {"feed": "sqlite:///catalog.db"}, {"feed": "javascript:x"},
        {"feed": "https://a.example/f.csv", "sync": "maybe"},
        {"feed": "https://a.example/f.csv", "feed_id": ""}, {"feed": "https://a.example/f.csv", "query": "select 1"},
    ):  # fmt: skip
        probed.check(probed.client.post("/v1/jobs", json=body), 400, 422)
    probed.check(probed.client.post("/v1/jobs", content=b"id,image_link", headers={"Content-Type": "text/csv"}), 415)
    probed.check(probed.client.post("/v1/jobs", data={"options": "{}"}, files={"other": b"x"}), 400, 422)
    probed.check(probed.client.post("/v1/jobs", data={"options": "{"}, files={"feed": b"id"}), 400, 422)
    probed.check(probed.client.post("/v1/jobs", content=b"x" * (MAX_BODY + 1), headers=JSON), 413)
