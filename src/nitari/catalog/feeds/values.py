"""Cells to typed attribute values: texts, numbers, prices, booleans, lists. Pure functions."""

from __future__ import annotations

import datetime
import json
import math
import re
import unicodedata
import uuid
from collections.abc import Iterable
from decimal import Decimal

from nitari.catalog.feeds.records import RawValue, shown
from nitari.types import AttributeValue

MAX_TEXT = 65_536
"""Most characters of one attribute's text."""
MAX_LIST = 1_000
"""Most entries of one list."""
MAX_EXACT_INT = 2**53
"""Beyond it a float cannot tell two integers apart, so such numbers stay text."""

_TRUE = frozenset({"true", "yes", "1"})
_FALSE = frozenset({"false", "no", "0"})
_CANONICAL = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,17})?")
_FLOAT = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d{1,3})?")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_AMOUNT = re.compile(r"[-+]?\d[\d.,'’ ]*(?:(?<=[.,])[-–]{1,2})?")
_TAX_NOTES = re.compile(r"[（(]?(?:税込|税抜|税別|incl\.? ?vat|inc\.? ?vat)[）)]?", re.IGNORECASE)
# Symbols that mean one currency nearly everywhere. "kr" is three currencies: the amount is kept without one.
_SYMBOLS = {
    "$": "USD", "us$": "USD", "c$": "CAD", "ca$": "CAD", "a$": "AUD", "au$": "AUD", "nz$": "NZD", "hk$": "HKD",
    "s$": "SGD", "r$": "BRL", "nt$": "TWD", "mx$": "MXN", "€": "EUR", "£": "GBP", "¥": "JPY", "円": "JPY", "元": "CNY",
    "rmb": "CNY", "₹": "INR", "₩": "KRW", "원": "KRW", "₽": "RUB", "₺": "TRY", "₫": "VND", "฿": "THB", "₱": "PHP",
    "₪": "ILS", "₴": "UAH", "zł": "PLN", "kč": "CZK", "ft": "HUF", "kr": "",
}  # fmt: skip
_NO_DECIMALS = frozenset({"JPY", "KRW", "VND", "CLP", "ISK", "PYG", "UGX", "IDR"})
_THREE_DECIMALS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


class BadValueError(Exception):
    """A cell that cannot be what its column needs. Never leaves this package.

    Args:
        found: What the cell holds.
        expected: What it should hold.
        remedy: What to do.
        code: The rejection's code.
    """

    def __init__(self, found: str, expected: str, remedy: str, code: str = "attribute") -> None:
        super().__init__(found)
        self.found = found
        self.expected = expected
        self.remedy = remedy
        self.code = code


def clean_text(value: str) -> str:
    """Text without surrounding space and control characters; line ends become LF, tabs stay.

    Raises:
        BadValueError: bytes that were not text in the feed's encoding, or more than ``MAX_TEXT`` characters.
    """
    if _SURROGATE.search(value):
        raise BadValueError(
            "characters that could not be decoded",
            "text in the feed's encoding",
            "save the feed as UTF-8, or name its encoding",
            "encoding",
        )
    text = _CONTROL.sub("", value.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if len(text) > MAX_TEXT:
        raise BadValueError(
            f"a text of {len(text)} characters", f"at most {MAX_TEXT}", "shorten it or leave the column out"
        )
    return text


def is_empty(value: RawValue) -> bool:
    """Whether a cell holds nothing: ``None``, blank text, an empty list or object, or a float that is not a number."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value or value.isspace()
    if isinstance(value, float):
        return math.isnan(value)
    if isinstance(value, (list, tuple, dict)):
        return not value
    return False


def scalar_text(value: RawValue) -> str:
    """Any single value as text: whole numbers without a point, dates in ISO 8601, booleans as ``true``/``false``.

    Raises:
        BadValueError: something that is not a single value.
    """
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) <= MAX_EXACT_INT else repr(value)
    if isinstance(value, Decimal):
        return format(value.to_integral_value() if value == value.to_integral_value() else value, "f")
    if isinstance(value, (datetime.date, datetime.datetime, datetime.time)):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    raise BadValueError(
        f"{_kind(value)}", "text, a number, true/false or a list of texts", "write it as text or leave the column out"
    )


def texts(values: Iterable[RawValue]) -> tuple[str, ...]:
    """A list's entries as texts, empty ones left out.

    Raises:
        BadValueError: an entry that is itself a list or object, or too many entries.
    """
    out = tuple(text for value in values if not is_empty(value) and (text := scalar_text(value)))
    if len(out) > MAX_LIST:
        raise BadValueError(f"a list of {len(out)} entries", f"at most {MAX_LIST}", "shorten the list")
    return out


def json_list(cell: str) -> list[RawValue] | None:
    """The list that a cell of a text format spells as a JSON array; ``None`` where it is no such thing."""
    if not (cell.startswith("[") and cell.endswith("]")):
        return None
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list) and all(isinstance(entry, (str, int, float)) for entry in value):
        return value
    return None


def open_value(value: RawValue, *, typed: bool) -> AttributeValue:
    """The value of a column that nothing is known about.

    Typed formats say what they mean. In text formats ``true`` and ``false`` are booleans, a canonical decimal (no
    leading zeros, no plus sign, at most 15 digits before the point) is a number, a JSON array is a list, and all else
    is text, so that ``00123`` and ``12345678901234567890`` stay the SKUs they are.
    """
    if isinstance(value, str):
        text = clean_text(value)
        if typed:
            return text
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
        if _CANONICAL.fullmatch(text):
            return float(text) + 0.0
        return text
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return float(value) if abs(value) <= MAX_EXACT_INT else str(value)
    if isinstance(value, (float, Decimal)):
        return finite(float(value))
    return scalar_text(value)


def finite(value: float) -> float:
    """The number, if it is one.

    Raises:
        BadValueError: infinite or not a number.
    """
    if not math.isfinite(value):
        raise BadValueError(f"the number {value}", "a finite number", "correct it or leave the cell empty")
    return value + 0.0  # -0.0 becomes 0.0, so that equal numbers are equal texts, too


def boolean(value: RawValue) -> bool:
    """A boolean column's value: JSON booleans, or ``true/false``, ``yes/no``, ``1/0`` in any case.

    Raises:
        BadValueError: anything else.
    """
    if isinstance(value, bool):
        return value
    word = scalar_text(value).lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise BadValueError(shown(value), "true/false or yes/no", "write true or false, or leave the cell empty")


def number(value: RawValue) -> float:
    """A number column's value: a number, or a text such as ``12``, ``-3.5`` or ``1,234``.

    Raises:
        BadValueError: anything else.
    """
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return finite(float(value))
    text = unicodedata.normalize("NFKC", scalar_text(value))
    if _FLOAT.fullmatch(text):
        return finite(float(text))
    match = _AMOUNT.fullmatch(text)
    amount = decimal_of(match.group(), decimals=None) if match else None
    if amount is None:
        raise BadValueError(
            shown(value), "a number such as 12 or 3.5", "write digits with a dot, or leave the cell empty"
        )
    return finite(float(amount))


def price(value: RawValue) -> tuple[float, str]:
    """Amount and ISO 4217 currency (empty where none is told) of a price.

    ``52.00 USD``, ``USD 52``, ``$12.99``, ``1.234,50 EUR``, ``¥1,980``, ``1980円`` and numbers; also Merchant API
    objects ``{"value": "52.00", "currency": "USD"}``. The symbols ``$`` and ``¥`` are taken for USD and JPY.

    Raises:
        BadValueError: no amount, a negative one, or one that can be read two ways (``1.234 EUR``).
    """
    if isinstance(value, dict):
        amount, currency = value.get("value"), value.get("currency", "")
        if is_empty(amount) or not isinstance(currency, str):
            raise _bad_price(value)
        found, implied = price(amount)
        return found, currency.strip().upper() or implied
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        if float(value) < 0:
            raise _bad_price(value)
        return finite(float(value)), ""
    text = _TAX_NOTES.sub("", unicodedata.normalize("NFKC", scalar_text(value))).strip()
    match = _AMOUNT.search(text)
    if match is None:
        raise _bad_price(value)
    around = " ".join(part for part in (text[: match.start()].strip(), text[match.end() :].strip()) if part)
    currency_code = currency_of(around)
    if currency_code is None:
        raise _bad_price(value)
    parsed = decimal_of(match.group(), decimals=_decimals(currency_code))
    if parsed is None or parsed < 0:
        raise _bad_price(value)
    return finite(float(parsed)), currency_code


def currency_of(text: str) -> str | None:
    """ISO 4217 code of what stands around an amount; empty for nothing, ``None`` for something else."""
    word = text.strip().rstrip(".").lower()
    if not word:
        return ""
    if word in _SYMBOLS:
        return _SYMBOLS[word]
    if len(word) == 3 and word.isascii() and word.isalpha():
        return word.upper()
    return None


def _decimals(currency: str) -> int:
    """How many decimals the currency has."""
    return 0 if currency in _NO_DECIMALS else 3 if currency in _THREE_DECIMALS else 2


def decimal_of(text: str, *, decimals: int | None) -> Decimal | None:
    """A number written in any of the usual ways; ``None`` where it is not one, or could be two.

    Args:
        text: Digits with ``.``, ``,``, ``'`` or spaces.
        decimals: How many decimals are usual (prices), or ``None`` for plain numbers, where a dot is a decimal point.
    """
    text = text.strip().rstrip("-–").replace("’", "'").replace(" ", "'").rstrip(".,'")  # 99,- is 99
    last = max(text.rfind("."), text.rfind(","))
    if last < 0:
        return _grouped(text, "'")  # 1'234 or 1 234
    mark, other = text[last], ("," if text[last] == "." else ".")
    whole, fraction = text[:last], text[last + 1 :]
    if not fraction.isdigit():
        return None
    if mark in whole:  # 1,234,567: the mark groups
        return None if other in whole else _grouped(text, mark)
    if other in whole or "'" in whole:  # 1.234,50
        left = _grouped(whole, other if other in whole else "'")
        return None if left is None else _joined(left, fraction)
    if len(fraction) == 3 and _could_group(whole):
        if mark == ",":
            return None if decimals == 3 else _grouped(text, mark)
        if decimals == 0:
            return _grouped(text, mark)
        if decimals == 2:
            return None  # 1.234 EUR: a thousand in Berlin, one and a bit in Boston
    return _joined(Decimal(whole), fraction) if _plain(whole) else None


def _could_group(whole: str) -> bool:
    """Whether digits left of a mark can be the first group of thousands."""
    digits = whole.lstrip("+-")
    return digits.isdigit() and 1 <= len(digits) <= 3 and not digits.startswith("0")


def _plain(whole: str) -> bool:
    """Whether this is an integer without marks."""
    return whole.lstrip("+-").isdigit()


def _joined(whole: Decimal, fraction: str) -> Decimal:
    """``whole.fraction``."""
    return Decimal(f"{whole}.{fraction}")


def _grouped(text: str, mark: str) -> Decimal | None:
    """An integer whose groups are set apart by ``mark``: threes, or India's twos with a three at the end."""
    head, *groups = text.split(mark)
    if not _plain(head):
        return None
    if not groups:
        return Decimal(head)
    threes = all(len(group) == 3 for group in groups)
    indian = len(groups[-1]) == 3 and all(len(group) == 2 for group in groups[:-1])
    if len(head.lstrip("+-")) > 3 or not (threes or indian) or not all(group.isdigit() for group in groups):
        return None
    return Decimal(head + "".join(groups))


def _bad_price(value: RawValue) -> BadValueError:
    return BadValueError(
        shown(value),
        "an amount and its currency such as 52.00 USD",
        "write it as 1234.50 USD, or leave the cell empty",
    )


def _kind(value: RawValue) -> str:
    """What a value is, for messages."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "binary data"
    return f"a value of type {type(value).__name__}"
