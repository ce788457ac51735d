"""RSS 2.0 and Atom with Google Merchant Center's elements, read element by element, entities refused."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, iterparse

from nitari.catalog.feeds.records import MAX_RECORD, RawValue, Record
from nitari.catalog.feeds.text import detect_encoding, known_encoding, open_binary, read_some, read_up_to, translated
from nitari.errors import FeedError
from nitari.types import Rejection

MAX_ELEMENT_BYTES = 4 * MAX_RECORD
MAX_ELEMENTS = 10_000
MAX_DEPTH = 32
_ITEMS = frozenset({"item", "entry", "product"})
_ROOTS = frozenset({"rss", "feed", "RDF"})
_GOOGLE = "http://base.google.com/"
# Elements that may hold markup; their text is what is in it.
_PROSE = frozenset({"title", "description", "summary", "content"})
_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._:-]{1,40})[\"']")
# What declares itself Shift_JIS holds Windows' extra characters more often than not.
_SHIFT_JIS = frozenset({"shift_jis", "shift-jis", "sjis", "x-sjis", "windows-31j", "ms932"})
_NATIVE = frozenset({"utf-8", "utf-16", "utf-16-le", "utf-16-be", "us-ascii", "ascii", "iso-8859-1"})


class XmlReader:
    """Reads ``item`` (RSS), ``entry`` (Atom) or ``product`` elements. ``g:id`` counts before ``id``.

    Repeated elements make a list; an element with elements inside (``g:shipping``) makes columns of its own
    (``shipping_country``). A document that is not well-formed is read up to the fault.
    """

    unit = "element"
    size_hint: int | None = None

    def __init__(self, path: Path, encoding: str | None = None) -> None:
        self._path = path
        self._encoding = encoding

    def records(self) -> Iterator[Record | Rejection]:
        """The items.

        Raises:
            FeedError: XML that is not well-formed, declares entities, or has no items in it.
        """
        with translated(self._path), open_binary(self._path) as raw:
            source, encoding = self._source(raw)
            try:
                yield from self._parse(_Bounded(source, self._path), encoding)
            except ParseError as exc:
                line, column = exc.position
                prefix = "unbound prefix" in str(exc)
                what = str(exc).split(":")[0]
                what = "the document ends too early" if what in ("no element found", "unclosed token") else what
                raise FeedError(
                    f"{self._path} is not well-formed XML at line {line}, column {column + 1}: "
                    f"{what}; the elements before it were read",
                    remedy='declare the prefix: <rss version="2.0" xmlns:g="http://base.google.com/ns/1.0">'
                    if prefix
                    else "escape & as &amp; and < as &lt;, close every element, and check the encoding",
                    code="xml",
                ) from exc
            except DefusedXmlException as exc:
                raise FeedError(
                    f"{self._path} declares entities or refers to other files, which is refused: {exc}",
                    remedy="export the feed without a DOCTYPE that declares entities",
                    code="xml-entities",
                ) from exc

    def _parse(self, source: _Bounded, encoding: str | None) -> Iterator[Record]:
        """Walk the document, keeping only the item that is being read."""
        parser = DefusedXMLParser(encoding=encoding, forbid_dtd=False, forbid_entities=True, forbid_external=True)
        stack: list[Element] = []
        item: Element | None = None
        number = elements = 0
        root = ""
        for event, element in iterparse(source, events=("start", "end"), parser=parser):
            if event == "start":
                root = root or _local(element.tag)
                stack.append(element)
                elements += 1
                if item is None and len(stack) > 1 and _local(element.tag) in _ITEMS:
                    item, elements = element, 0
                if len(stack) > MAX_DEPTH or elements > MAX_ELEMENTS:
                    raise source.too_large(number + 1)
                continue
            stack.pop()
            if item is not None and element is item:
                number += 1
                source.mark(number)
                yield _record(item, number)
                item, elements = None, 0
            if item is None and stack:
                stack[-1].remove(element)
                elements = 0
        if not number and root not in _ROOTS:
            raise FeedError(
                f"{self._path} is XML with the root <{root}> and no <item>, <entry> or <product> in it",
                remedy="give an RSS 2.0 or Atom feed with Google Merchant Center's elements",
                code="not-a-feed",
            )

    def _source(self, raw: BinaryIO) -> tuple[_Readable, str | None]:
        """The bytes to parse, and what encoding to take them for: expat knows few, so others become UTF-8 first."""
        head = read_up_to(raw, 1024)
        joined = _Joined(head, raw)
        if self._encoding is not None:
            name = known_encoding(self._encoding)
        elif head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and not head.startswith(codecs.BOM_UTF32_LE):
            return joined, None
        elif match := _DECLARED.search(head):
            name = match[1].decode("ascii")
            name = "cp932" if name.lower() in _SHIFT_JIS else name
        else:
            name = detect_encoding(self._path)
        try:
            codec = codecs.lookup(name).name
        except LookupError as exc:
            raise FeedError(
                f"{self._path} declares the encoding {name!r}, which is not known",
                remedy="declare the encoding that the file is in, or name it (encoding=)",
                code="encoding",
            ) from exc
        if codec in _NATIVE and self._encoding is None:
            return joined, None
        return _Transcoded(joined, codec), "utf-8"


class _Readable(Protocol):
    """What expat is fed from."""

    def read(self, size: int, /) -> bytes: ...


class _Joined:
    """A stream whose beginning was read already."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int) -> bytes:
        """The next piece."""
        if self._head:
            piece, self._head = self._head, b""
            return piece
        return read_some(self._rest, size)


class _Transcoded:
    """Bytes of any encoding as UTF-8."""

    def __init__(self, source: _Readable, encoding: str) -> None:
        self._source = source
        self._decoder = codecs.getincrementaldecoder(encoding)()

    def read(self, size: int) -> bytes:
        """The next piece."""
        while piece := self._source.read(size):
            if text := self._decoder.decode(piece):
                return text.encode("utf-8")
        return self._decoder.decode(b"", True).encode("utf-8")


class _Bounded:
    """Refuses to feed the parser more than ``MAX_ELEMENT_BYTES`` without an item coming out of it."""

    def __init__(self, source: _Readable, path: Path) -> None:
        self._source = source
        self._path = path
        self._since = 0
        self._number = 0

    def mark(self, number: int) -> None:
        """An item is done."""
        self._since = 0
        self._number = number

    def read(self, size: int) -> bytes:
        """The next piece."""
        piece = self._source.read(size)
        self._since += len(piece)
        if self._since > MAX_ELEMENT_BYTES:
            raise self.too_large(self._number + 1)
        return piece

    def too_large(self, number: int) -> FeedError:
        """The error for an item that is too large."""
        return FeedError(
            f"{self._path}: element {number} has more than {MAX_ELEMENT_BYTES} bytes, {MAX_ELEMENTS} elements or "
            f"{MAX_DEPTH} levels; the elements before it were read",
            remedy="check that every <item> is closed",
            code="xml",
        )


def _record(item: Element, number: int) -> Record:
    """An item's elements as columns; where Google's namespace and RSS both name one, Google's counts."""
    google = {_local(child.tag) for child in item if _is_google(child.tag)}
    names: list[str] = []
    values: list[RawValue] = []
    for child in item:
        name = _local(child.tag)
        if not name or (name in google and not _is_google(child.tag)):
            continue
        if name == "summary" and "description" not in google:
            name = "description"
        names.append(name)
        values.append(_value(child))
    return Record(number, tuple(names), values)


def _value(element: Element) -> RawValue:
    """Text, or an object of the elements inside; an Atom link's target."""
    name = _local(element.tag)
    if name == "link" and element.get("href"):
        return element.get("href") if element.get("rel", "alternate") == "alternate" else None
    if len(element) and name in _PROSE:
        return "".join(element.itertext())
    if not len(element):
        return element.text
    parts: dict[str, RawValue] = {}
    for child in element:
        key = _local(child.tag)
        value: RawValue = child.text if not len(child) else {_local(inner.tag): inner.text for inner in child}
        parts[key] = value if key not in parts else [*_as_list(parts[key]), value]
    return parts


def _as_list(value: RawValue) -> list[RawValue]:
    return value if isinstance(value, list) else [value]


def _local(tag: object) -> str:
    """A tag without its namespace; empty for comments and processing instructions."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _is_google(tag: object) -> bool:
    """Whether a tag is Google Merchant Center's."""
    return isinstance(tag, str) and tag.startswith("{" + _GOOGLE)
