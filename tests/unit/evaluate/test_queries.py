"""``queries.csv``: what its cells may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitari.errors import DataError
from nitari.evaluate.queries import QueryRow, read_queries
from nitari.types import Box


def write(folder: Path, text: str) -> Path:
    """A queries.csv of this text."""
    path = folder / "queries.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_all_columns(tmp_path: Path) -> None:
    """Box, exclusions and category are read; empty cells stand for none."""
    path = write(
        tmp_path,
        '\ufeffquery_id,image_link,box,exclude,category\nq1,a b.jpg,"0.1, 0.2,0.9,1",x y x,Hats\nq2,https://shop.example/1,,,\n',
    )
    assert read_queries(path) == (
        QueryRow("q1", "a b.jpg", Box(0.1, 0.2, 0.9, 1.0), ("x", "y"), "Hats"),
        QueryRow("q2", "https://shop.example/1"),
    )


def test_optional_columns(tmp_path: Path) -> None:
    """Only id and photo are needed."""
    assert read_queries(write(tmp_path, "query_id,image_link\nq,a.jpg\n")) == (QueryRow("q", "a.jpg"),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("query_id,photo\nq,a.jpg\n", "no column 'image_link'"),
        ("", "no column 'query_id'"),
        ("query_id,image_link\n", "holds no query"),
        ("query_id,image_link\nq,\n", "line 2: image_link is empty"),
        ("query_id,image_link\n,a.jpg\n", "line 2: query_id is empty"),
        ("query_id,image_link\nq 1,a.jpg\n", "line 2: query_id is 'q 1'"),
        ("query_id,image_link\nq,a.jpg\nq,b.jpg\n", "row 2: query id 'q' is there twice"),
        ("query_id,image_link,box\nq,a.jpg,0.1,0.2,0.3,0.4\n", "more cells than columns"),
        ('query_id,image_link,box\nq,a.jpg,"0.5,0,0.4,1"\n', "line 2: box is '0.5,0,0.4,1'"),
        ('query_id,image_link,box\nq,a.jpg,"0,0,1"\n', "line 2: box is '0,0,1'"),
        ('query_id,image_link,box\nq,a.jpg,"0,0,1,x"\n', "line 2: box is '0,0,1,x'"),
        ('query_id,image_link\nq,"a.jpg\n', "not a CSV file"),
    ],
)
def test_bad_queries_are_named(tmp_path: Path, text: str, said: str) -> None:
    """A bad row is an error that says where and what was expected."""
    with pytest.raises(DataError, match=said):
        read_queries(write(tmp_path, text))


def test_a_missing_file_says_what_it_should_hold(tmp_path: Path) -> None:
    """The remedy names the columns."""
    with pytest.raises(DataError, match="cannot be read") as caught:
        read_queries(tmp_path / "queries.csv")
    assert "query_id,image_link,box,exclude" in caught.value.remedy
