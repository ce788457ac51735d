"""What clients send becomes values of the core, or a problem that names the field."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.catalog.base import ItemDelete
from nitari.errors import NotFoundError, UsageError
from nitari.ingest.edit import Draft
from nitari.server import requests
from nitari.server.body import FORM, JSON, Body
from nitari.server.problems import RequestError
from nitari.server.schemas import BatchBody
from nitari.server.schemas_search import SearchBody
from nitari.types import Box
from support.application import KEPT, QueryPhotos

BOUNDARY = "limit"


def body(document: object) -> Body:
    """A body that is JSON."""
    return Body(JSON, {}, document if isinstance(document, bytes) else json.dumps(document).encode())


def form(**fields: bytes) -> Body:
    """A body that is a form."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + data + b"\r\n"
        for name, data in fields.items()
    ]
    return Body(FORM, {"boundary": BOUNDARY}, b"".join(parts) + f"--{BOUNDARY}--\r\n".encode())


def refusal(document: object) -> RequestError:
    """The problem that a search has with this JSON."""
    with pytest.raises(RequestError) as caught:
        requests.search_query(body(document), None, QueryPhotos())
    return caught.value


def test_a_search_with_everything() -> None:
    """All fields arrive."""
    asked = {
        "item_id": "a", "liked": ["b"], "disliked": ["c"], "filter": {"price": {"lt": 5}}, "k": 3, "offset": 6,
        "min_score": 0.25, "group_by": "group", "facets": ["color"], "facet_limit": 4, "emphasis": 1, "worn": 0.5,
        "category": "restrict", "collapse": False, "why": True,
    }  # fmt: skip
    query = requests.search_query(body(asked), None, QueryPhotos())
    assert (query.item_id, query.liked, query.disliked) == ("a", ("b",), ("c",))
    assert (query.k, query.offset, query.min_score, query.group_by) == (3, 6, 0.25, "group")
    assert (query.filter, query.facets, query.facet_limit) == ({"price": {"lt": 5}}, ("color",), 4)
    assert (query.emphasis, query.worn, query.category, query.collapse) == (1, 0.5, "restrict", False)
    assert query.why
    like = requests.recommend_query(b'{"liked": ["a"], "emphasis": 0, "category": "off", "collapse": false}')
    assert (like.emphasis, like.worn, like.category, like.collapse) == (0, "auto", "off", False)


def test_heat_maps_from_everywhere() -> None:
    """JSON names one thing to compare, a photo has its options beside it; the rest is as it was searched with."""
    photos = QueryPhotos()
    asked = {"item_id": "a", "hit": "b", "region": "largest", "emphasis": 1, "worn": "off"}
    query, hit = requests.heatmap_query(body(asked), None, photos)
    assert (query.item_id, hit, query.region, query.emphasis, query.worn) == ("a", "b", "largest", 1, "off")
    for sent, options in (
        (form(photo=b"photo", options=b'{"hit": "b"}'), None),
        (Body("image/png", {}, b"photo"), '{"hit": "b"}'),
    ):
        query, hit = requests.heatmap_query(sent, options, photos)
        assert (query.photo, hit, query.region) == (b"photo", "b", "auto")
    kept, _ = requests.heatmap_query(body({"photo_id": KEPT, "hit": "b"}), None, photos)
    assert kept.photo == b"d2"


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"hit": "b"}, ""),
        ({"item_id": "a"}, "hit"),
        ({"item_id": "a", "url": "https://x", "hit": "b"}, "item_id"),
        ({"vector": [1.0], "hit": "b"}, "vector"),
        ({"item_id": "a", "hit": "b", "k": 3}, "k"),
    ],
)
def test_heat_maps_of_nothing_much(document: object, field: str) -> None:
    """What cannot be compared names its field; so does a photo without a hit."""
    with pytest.raises(RequestError) as caught:
        requests.heatmap_query(body(document), None, QueryPhotos())
    assert caught.value.errors[0].field == field
    with pytest.raises(RequestError, match="hit"):
        requests.heatmap_query(Body("image/png", {}, b"photo"), None, QueryPhotos())


def test_photos_from_everywhere() -> None:
    """A raw photo with options, one in a form, and a kept one."""
    photos = QueryPhotos()
    assert requests.search_query(form(photo=b"photo", options=b'{"worn": "off"}'), None, photos).worn == "off"
    raw = requests.search_query(Body("image/png", {}, b"photo"), '{"region": [0, 0, 0.5, 1]}', photos)
    assert (raw.photo, raw.region) == (b"photo", Box(0, 0, 0.5, 1))
    assert requests.search_query(form(photo=b"photo", options=b'{"k": 1}'), None, photos).k == 1
    assert requests.search_query(body({"photo_id": KEPT}), None, photos).photo == b"d2"
    with pytest.raises(NotFoundError):
        requests.search_query(body({"photo_id": "other"}), None, photos)


@pytest.mark.parametrize(
    ("document", "status", "field", "expected"),
    [
        (b"", 400, "", "JSON"),
        (b"{", 400, "", "JSON"),
        (b'{"item_id": "\xff"}', 400, "", "JSON"),
        (b'\xef\xbb\xbf{"item_id": "a"}', 400, "", "JSON"),
        (b'{"vector": [NaN]}', 400, "", "JSON"),
        (b'{"item_id": "\\ud800"}', 400, "", "JSON"),
        (b'{"k": 1, "k": 2}', 400, "", "JSON"),
        (b"[" * 100_000, 400, "", "JSON"),
        (b'{"filter": ' + b'{"not": ' * 500 + b"1" + b"}" * 501, 400, "", "JSON"),
        (b'{"k": ' + b"9" * 5000 + b"}", 400, "", "JSON"),
        (b'{"vector": [1e999]}', 422, "vector.0", "finite"),
        (b'{"vector": [0, 1e300]}', 422, "vector.1", "at most"),
        ([], 422, "", "object"),
        ({"item_id": "a", "k": 0}, 422, "k", "greater than or equal to 1"),
        ({"item_id": "a", "k": "5"}, 422, "k", "integer"),
        ({"item_id": "a", "k": True}, 422, "k", "integer"),
        ({"item_id": "a", "region": [0, 0, 1]}, 422, "region", "at least 4 items"),
        ({"item_id": "a", "region": [0, 0, 1, 2]}, 422, "region.3", "less than or equal to 1"),
        ({"item_id": "a", "region": [0.5, 0, 0.5, 1]}, 422, "region", "0 <= x1 < x2 <= 1"),
        ({"item_id": "a", "region": "middle"}, 422, "region", "'auto'"),
        ({"item_id": "a", "emphasis": 1.5}, 422, "emphasis", "less than or equal to 1"),
        ({"item_id": "a", "worn": "on"}, 422, "worn", "'auto' or 'off'"),
        ({"item_id": "a", "category": "shoes"}, 422, "category", "'boost', 'restrict' or 'off'"),
        ({"item_id": "a", "what": 1}, 422, "what", "no such field"),
        ({"item_id": "a", "liked": ["b", 1]}, 422, "liked.1", "string"),
        ({"item_id": "a", "url": "http://x"}, 400, "item_id", "exactly one"),
        ({}, 400, "", "exactly one"),
    ],
)
def test_what_does_not_fit_names_the_field(document: object, status: int, field: str, expected: str) -> None:
    """Field, what was found and what was expected, each in its place."""
    error = refusal(document)
    assert error.status == status, error
    assert error.errors[0].field == field, error.errors
    assert expected in error.errors[0].expected, error.errors
    assert error.message


LEAVES = st.none() | st.booleans() | st.floats() | st.text()
DOCUMENTS = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(DOCUMENTS)
def test_no_json_is_beyond_words(document: Any) -> None:
    """Whatever JSON comes, there is a query or a problem of the caller's."""
    with suppress(RequestError):
        requests.parse_json(json.dumps(document), SearchBody)


@given(st.binary(max_size=200))
def test_no_form_is_beyond_words(data: bytes) -> None:
    """Whatever stands in a form, there is a photo or a problem of the caller's."""
    with suppress(RequestError):
        requests.photo_of(Body(FORM, {"boundary": BOUNDARY}, data))


def test_options_stand_in_one_place() -> None:
    """Options in the query string beside JSON or a form would be overlooked, so they are refused."""
    for given_body in (body({"item_id": "a"}), form(photo=b"x")):
        with pytest.raises(RequestError, match="options"):
            requests.search_query(given_body, "{}", QueryPhotos())


def test_forms_know_their_fields() -> None:
    """A field that nobody knows, and a missing or repeated photo."""
    for fields in ({"photo": b"x", "phot": b"y"}, {"options": b"{}"}):
        with pytest.raises(RequestError) as caught:
            requests.photo_and_options(form(**fields), None)
        assert caught.value.errors


def test_detections() -> None:
    """A link or a kept photo, and not both."""
    assert requests.detect_source(body({"url": "http://x"}), QueryPhotos()) == (None, "http://x")
    assert requests.detect_source(body({"photo_id": KEPT}), QueryPhotos()) == (b"d2", None)
    for document in ({}, {"url": "http://x", "photo_id": KEPT}):
        with pytest.raises(RequestError, match="exactly one"):
            requests.detect_source(body(document), QueryPhotos())


def test_drafts() -> None:
    """An item as JSON, and in a form with its photos."""
    item = {"title": "T", "item_group_id": "g", "image_links": ["http://x"], "attributes": {"n": 1, "l": ["a"]}}
    draft = requests.draft_of("i", body(item))
    assert draft == Draft("i", "T", "g", ("http://x",), {"n": 1.0, "l": ("a",)})
    assert requests.draft_of("i", form(photo=b"x", item=b'{"title": "T"}')).uploads == (b"x",)


def test_operations_keep_their_order() -> None:
    """Puts and deletes; an error inside one names its place without pydantic's branches."""
    document = {"operations": [{"op": "delete", "item_id": "a"}, {"op": "put", "item_id": "b", "item": {}}]}
    operations = requests.operations_of(requests.parse_json(json.dumps(document), BatchBody))
    assert [type(operation) for operation in operations] == [ItemDelete, Draft]
    document["operations"][1]["item"] = {"title": 5}
    with pytest.raises(RequestError) as caught:
        requests.parse_json(json.dumps(document), BatchBody)
    assert caught.value.errors[0].field == "operations.1.item.title"


def test_recommendations() -> None:
    """Liked items alone are the question."""
    assert requests.recommend_query(b'{"liked": ["a"]}').liked == ("a",)
    with pytest.raises(UsageError):
        requests.recommend_query(b'{"liked": []}')
