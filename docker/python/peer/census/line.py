"""One line of a segment file: `FILEID,STUSAB,CHARITER,CIFSN,LOGRECNO,item,item,…`.

Nearly all items are whole numbers, so a line of nothing but digits and commas is parsed by two calls of C; anything
else is looked at item by item.
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from peer.census.text import excerpt

MAX_WHOLE = 99_999_999
"""Items are stored as numeric(10,2)."""

_ITEM = re.compile(r"(-?)([0-9]*)(?:\.([0-9]{1,2}))?")

_HEADER = (
    ("FILEID", 6, "1 to 6 ASCII characters"),
    ("STUSAB", 2, "a state's two letters"),
    ("CHARITER", 3, "three digits"),
    ("CIFSN", 2, "a segment's two digits"),
)


class Line(NamedTuple):
    """A segment's line and where it came from. A value is an int where it is whole, else a Decimal."""

    segment: int
    file_id: str
    stusab: str
    logrecno: int
    values: list[int | Decimal]
    text: str
    file: str
    number: int


class LineError(ValueError):
    """Why a line was refused; whoever reads the archive adds the file and the line."""


def parse(text: str, state: str, segment: int, file: str, number: int) -> Line:
    """Parses a line, which has to be of this state and segment."""
    head = text.split(",", 5)
    head += [""] * (6 - len(head))
    file_id, stusab = _header(head[0], head[1], head[2], head[3])
    logrecno, items = head[4], head[5]
    if not (logrecno.isascii() and logrecno.isdigit() and len(logrecno) <= 7):
        raise _wrong("LOGRECNO", logrecno, "one to seven digits")
    parsed = values(items)
    if stusab.lower() != state:
        raise _wrong("STUSAB", stusab, state.upper())
    if head[3].strip() != f"{segment:02}":
        raise _wrong("CIFSN", head[3].strip(), f"{segment:02}")
    return Line(segment, file_id, stusab, int(logrecno), parsed, items, file, number)


def hundredths(items: str) -> list[int]:
    """The items of a line that has been checked, in hundredths."""
    if "." in items:
        return [_of_item(item, index) for index, item in enumerate(items.split(","))]
    return [100 * value for value in map(int, items.split(","))]


def _wrong(field: str, found: str, expected: str) -> LineError:
    return LineError(f"{field} is {excerpt(found)}, not {expected}")


@lru_cache(maxsize=64)
def _header(*fields: str) -> tuple[str, str]:
    """FILEID and STUSAB; the four leading fields are the same on every line of a file."""
    for text, (name, most, expected) in zip(fields, _HEADER):
        trimmed = text.strip(" \t\r\x0c")
        if not (1 <= len(trimmed) <= most and trimmed.isascii() and trimmed.isprintable()):
            raise _wrong(name, text, expected)
    return fields[0].strip(" \t\r\x0c"), fields[1].strip(" \t\r\x0c")


def values(items: str) -> list[int | Decimal]:
    """The items of a line as values, checked."""
    if not items:
        return []
    if items.isascii() and items.replace(",", "").isdigit():
        try:
            whole: list[int | Decimal] = list(map(int, items.split(",")))
        except ValueError:  # two commas in a row
            pass
        else:
            if max(whole) <= MAX_WHOLE:
                return whole
    return [_value(_of_item(item, index)) for index, item in enumerate(items.split(","))]


def _value(in_hundredths: int) -> int | Decimal:
    whole, rest = divmod(in_hundredths, 100)
    return Decimal(in_hundredths).scaleb(-2) if rest else whole


def _of_item(text: str, index: int) -> int:
    """An item in hundredths: a sign, a decimal point, many digits, or something wrong with it."""
    item = index + 1
    if not text:
        raise LineError(f"item {item} is empty")
    if not text.isascii():
        raise LineError(f"item {item} is not ASCII: {excerpt(text)}")
    match = _ITEM.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        raise LineError(f"item {item} is not a number with at most two decimals: {excerpt(text)}")
    value = int((match[2] or "0") + (match[3] or "").ljust(2, "0"))
    if value > MAX_WHOLE * 100 + 99:
        raise LineError(f"item {item} is outside ±99,999,999.99: {excerpt(text)}")
    return -value if match[1] else value
