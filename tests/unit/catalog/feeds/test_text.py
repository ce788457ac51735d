"""Bytes to text: encodings told apart, gzip by magic, lines of bounded length."""

from __future__ import annotations

import gzip
import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.catalog.feeds.text import (
    Lines,
    RecordTooLongError,
    count_lines,
    detect_encoding,
    known_encoding,
    open_binary,
    open_text,
    read_up_to,
)
from nitari.errors import FeedError, UsageError

JAPANESE = "id,商品名\n1,赤いワンピース\n2,ﾜﾝﾋﾟｰｽ ﾚｯﾄﾞ\n3,Tシャツ（白）\n4,“Red” tee\n"


def detected(folder: Path, data: bytes) -> str:
    """The encoding of these bytes."""
    (folder / "feed").write_bytes(data)
    return detect_encoding(folder / "feed")


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("cp932", "cp932"), ("utf-16", "utf-16"), ("utf-32", "utf-32"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("zipped", [False, True])
def test_encodings_are_told_apart(encoding: str, name: str, zipped: bool, tmp_path: Path) -> None:
    """Japanese text in each encoding that is detected reads back as it was, zipped or not."""
    data = JAPANESE.encode(encoding)
    assert detected(tmp_path, gzip.compress(data) if zipped else data) == name
    with open_text(tmp_path / "feed") as file:
        assert file.read() == JAPANESE


@pytest.mark.parametrize("text", ["ﾜﾝﾋﾟｰｽ", "赤", "赤,青\n白", "サイズ：Ｌ", "Tシャツ"])
def test_a_few_japanese_characters_are_enough(text: str, tmp_path: Path) -> None:
    """One word in CP932 is told from other encodings."""
    assert detected(tmp_path, f"id,title\n1,{text},a.jpg\n".encode("cp932")) == "cp932"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_its_mark(encoding: str, tmp_path: Path) -> None:
    """A header in Latin letters gives it away."""
    assert detected(tmp_path, "id,title\n1,x\n".encode(encoding)) == encoding


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Été à la plage, café, crème brûlée", "latin-1"),
        ("Größe, Übergröße, weiß", "latin-1"),
        ("don’t “quote” – me", "cp1252"),
        ("Übung macht den Jäger müde", "latin-1"),
        ("São João, coração", "latin-1"),
        ("ЖЕНСКОЕ ПЛАТЬЕ, красное", "cp1251"),
        ("红色连衣裙，夏季新款", "gbk"),
        ("赤いワンピース、夏の新作", "euc_jp"),
        ("빨간 원피스 여름", "euc_kr"),
    ],
)
def test_other_encodings_are_not_mistaken_for_japanese(text: str, encoding: str, tmp_path: Path) -> None:
    """The error names the first byte that does not fit, its place, and how to say the encoding."""
    data = f"id,title,image_link\n1,{text},a.jpg\n".encode(encoding)
    with pytest.raises(FeedError) as caught:
        detected(tmp_path, data)
    offset = next(n for n, byte in enumerate(data) if byte > 127)
    assert f"0x{data[offset]:02x} at offset {offset}" in caught.value.message
    assert "encoding=" in caught.value.remedy


def test_the_first_strange_byte_may_be_far_in(tmp_path: Path) -> None:
    """Megabytes of plain ASCII do not settle the encoding."""
    head = b"id,title\n" + b"1,plain\n" * 300_000
    assert detected(tmp_path, head + "2,赤いワンピース\n".encode("cp932")) == "cp932"
    with pytest.raises(FeedError, match=f"offset {len(head) + 2}"):
        detected(tmp_path, head + "2,école,x\n".encode("latin-1"))


def test_a_character_may_straddle_the_window(tmp_path: Path) -> None:
    """Looking at the beginning only does not cut a character in two and call it bad."""
    for shift in range(3):
        assert detected(tmp_path, b"x" * shift + "赤".encode() * 800_000) == "utf-8"
    assert detected(tmp_path, b"x" + "赤い".encode("cp932") * 600_000) == "cp932"


def test_a_few_bad_bytes_do_not_make_another_encoding(tmp_path: Path) -> None:
    """What is UTF-8 but for a byte is UTF-8; the byte becomes a lone surrogate for its row to be rejected."""
    assert detected(tmp_path, "赤い靴".encode() * 3 + b"\xff\n") == "utf-8"
    with open_text(tmp_path / "feed") as file:
        assert file.read().endswith("\udcff\n")


@pytest.mark.parametrize("name", ["latein", "base64", "rot13"])
def test_unknown_encodings_are_usage_errors(name: str) -> None:
    """Neither unknown names nor codecs that are not of texts."""
    with pytest.raises(UsageError, match=name):
        known_encoding(name)


def test_utf8_loses_its_mark_when_it_is_named() -> None:
    """encoding='utf-8' on a file with a mark does not put the mark into the first column's name."""
    assert known_encoding("UTF8") == "utf-8-sig"


def test_gzip_of_several_members_is_read_whole(tmp_path: Path) -> None:
    """Concatenated gzip files are one."""
    (tmp_path / "feed").write_bytes(gzip.compress(b"a\n") + gzip.compress(b"b\n"))
    with open_binary(tmp_path / "feed") as file:
        assert file.read() == b"a\nb\n"


def test_looking_ahead_survives_damage(tmp_path: Path) -> None:
    """What can be unpacked of a truncated file is seen."""
    data = bytes(range(256)) * 400
    packed = gzip.compress(data)
    (tmp_path / "feed").write_bytes(packed[: len(packed) - 4])
    with open_binary(tmp_path / "feed") as file:
        assert data.startswith(read_up_to(file, 2**20))


LINE = st.text(st.sampled_from("ab,\u2028\x0b\x85"), max_size=5)


@given(st.lists(st.tuples(LINE, st.sampled_from(["\n", "\r\n", "\r"])), max_size=20))
def test_lines_end_where_files_say(parts: list[tuple[str, str]]) -> None:
    """Only CR, LF and CRLF end a line; together the lines are the text."""
    text = "".join(line + end for line, end in parts)
    lines = Lines(io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8", newline=""))
    assert list(lines) == re.findall("[^\r\n]*(?:\r\n|\r|\n)", text)


def test_lines_can_be_given_back() -> None:
    """Lines given back come again, in order, under their old numbers."""
    lines = Lines(io.StringIO("1\n2\n3\n4\n"))
    assert (lines.begin(), next(lines), next(lines), next(lines)) == (1, "1\n", "2\n", "3\n")
    lines.give_back(2)
    assert lines.taken == ["1\n"]
    assert (lines.begin(), next(lines)) == (2, "2\n")
    lines.give_back(0)
    assert (lines.begin(), list(lines)) == (3, ["3\n", "4\n"])


def test_an_overlong_line_is_skipped_whole() -> None:
    """Its beginning is kept for the message, its rest is not; reading goes on at the next line."""
    lines = Lines(io.StringIO("x" * 1000 + "\nnext\n"), limit=10)
    lines.begin()
    with pytest.raises(RecordTooLongError):
        next(lines)
    assert len(lines.taken[0]) == 11
    assert (lines.begin(), next(lines)) == (2, "next\n")


def test_a_line_of_just_the_limit_and_its_end() -> None:
    """The cut falling between a line and its end does not eat the line after it."""
    lines = Lines(io.StringIO("x" * 11 + "\nnext\n"), limit=10)
    lines.begin()
    with pytest.raises(RecordTooLongError):
        next(lines)
    assert (lines.begin(), next(lines)) == (2, "next\n")


def test_count_lines(tmp_path: Path) -> None:
    """Line ends are counted; gzip is not unpacked for it."""
    (tmp_path / "feed").write_bytes(b"a\nb\n")
    assert count_lines(tmp_path / "feed") == 2
    (tmp_path / "feed").write_bytes(gzip.compress(b"a\nb\n"))
    assert count_lines(tmp_path / "feed") is None
