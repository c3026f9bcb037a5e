"""What the Bureau calls its files: `ny00001_uf1.zip` holds `ny00001.uf1`, `nygeo_uf1.zip` holds `nygeo.uf1`. Either
case, and an addition before the ending (`ny00001.truncated.uf1`), are fine."""

import re
from typing import NamedTuple

SEGMENTS = 39
GEO = 0

_SOURCE = re.compile(r"([a-z]{2})(?:geo|000([0-9]{2}))(.*)", re.DOTALL)


class SourceName(NamedTuple):
    """What a name says: the state's two letters, and the segment (0: the geographic header)."""

    state: str
    segment: int

    def archive(self) -> str:
        """The Bureau's name of the archive."""
        return f"{self.state}{self._part()}_uf1.zip"

    def member(self) -> str:
        """The Bureau's name of the archive's member."""
        return f"{self.state}{self._part()}.uf1"

    def _part(self) -> str:
        return f"{self.segment:05}" if self.segment else "geo"


def _split(name: str) -> tuple[SourceName, str] | None:
    match = _SOURCE.fullmatch(name)
    if match is None:
        return None
    segment = int(match[2]) if match[2] else GEO
    if match[2] and not 1 <= segment <= SEGMENTS:
        return None
    return SourceName(match[1], segment), match[3]


def _is_member_ending(rest: str) -> bool:
    return rest.startswith(".") and rest.endswith(".uf1")


def of_archive(file_name: str) -> SourceName | None:
    """Reads an archive's name; None for any other name."""
    name = file_name.lower()
    split = _split(name.removesuffix(".zip")) if name.endswith(".zip") else None
    if split is None:
        return None
    source, rest = split
    return source if rest == "_uf1" or _is_member_ending(rest) else None


def of_member(name: str) -> SourceName | None:
    """Reads the name of an archive's member; None for any other name."""
    split = _split(name.lower())
    return split[0] if split is not None and _is_member_ending(split[1]) else None
