"""The geographic header: a fixed-width record of 400 characters for each LOGRECNO, and its columns in the database.

Positions are 1-based and inclusive, as in the Bureau's record layout for SF1.
"""

import re
from typing import NamedTuple

from peer.census.text import excerpt

LENGTH = 400

# In the order of the INSERT: text first, then numbers.
_TEXTS = (
    ("FILEID", 1, 6),
    ("STUSAB", 7, 8),
    ("SUMLEV", 9, 11),
    ("GEOCOMP", 12, 13),
    ("CHARITER", 14, 16),
    ("CIFSN", 17, 18),
    ("REGION", 26, 26),
    ("DIVISION", 27, 27),
    ("STATECE", 28, 29),
    ("STATE", 30, 31),
    ("COUNTY", 32, 34),
    ("COUSUB", 37, 41),
    ("PLACE", 46, 50),
    ("TRACT", 56, 61),
    ("BLKGRP", 62, 62),
    ("BLOCK", 63, 66),
    ("NAME", 201, 290),
    ("INTPTLAT", 311, 319),
    ("INTPTLON", 320, 329),
)
_NUMBERS = (
    ("LOGRECNO", 19, 25),
    ("AREALAND", 173, 186),
    ("AREAWATR", 187, 200),
    ("POP100", 293, 301),
    ("HU100", 302, 310),
)
COLUMNS = tuple(name.lower() for name, _, _ in _TEXTS + _NUMBERS)

_TEXT_SLICES = tuple(slice(start - 1, end) for _, start, end in _TEXTS)
_NUMBER_SLICES = tuple(slice(start - 1, end) for _, start, end in _NUMBERS)
_NUMBER = re.compile(r"-?[0-9]+")
_BLANKS = " \t\n\r\x0c"


class Geo(NamedTuple):
    """A geographic record: its columns in the order of the INSERT, its text, and where it came from."""

    columns: tuple[str | int, ...]
    text: str
    file: str
    number: int


class GeoError(ValueError):
    """Why a record was refused; whoever reads the archive adds the file and the line."""


def columns(text: str) -> tuple[str | int, ...]:
    """The columns of a record that has been checked."""
    numbers = [text[part].strip(_BLANKS) for part in _NUMBER_SLICES]
    return (*[text[part].strip(" ") for part in _TEXT_SLICES], *[int(number or 0) for number in numbers])


def parse(text: str) -> tuple[str | int, ...]:
    """A record's columns; a GeoError is about the first field that cannot be used."""
    if len(text) != LENGTH:
        raise GeoError(f"{len(text)} characters, but a geographic record has {LENGTH}")
    # A record of printable ASCII, as nearly all are, needs no look at each text; digits are looked at in any case.
    if not (text.isascii() and text.isprintable()):
        _check_texts(text)
    for field, (name, start, end) in zip(_NUMBER_SLICES, _NUMBERS):
        digits = text[field].strip(_BLANKS)
        if name == "LOGRECNO" and not digits:
            raise GeoError(f"LOGRECNO (characters {start} to {end}) is blank")
        if digits and not (digits.isascii() and digits.isdigit()):
            if _NUMBER.fullmatch(digits) is None or name == "LOGRECNO":
                raise GeoError(f"{name} (characters {start} to {end}) is not a number: {excerpt(digits)}")
    for name, start, end in _TEXTS[:2]:
        if not text[start - 1 : end].strip(_BLANKS):
            raise GeoError(f"{name} (characters {start} to {end}) is blank")
    return columns(text)


def _check_texts(text: str) -> None:
    for name, start, end in _TEXTS:
        field = text[start - 1 : end]
        if name == "NAME":  # Latin-1: every byte is a character, and only control characters are refused
            fine = all(c >= " " and c != "\x7f" for c in field)
        else:
            fine = field.isascii() and field.isprintable()
        if not fine:
            raise GeoError(f"{name} (characters {start} to {end}) is not printable ASCII: {excerpt(field)}")
