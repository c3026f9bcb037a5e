"""Look-ups by an awaited driver that has one request under way at a time."""

from collections.abc import Sequence
from typing import Any

from peer import places
from peer.census.line import Line


class OneAtATime:
    """For a session that has `begin`, `_place`, `_places` and `_keys`."""

    async def begin(self) -> None:
        """Begins a transaction."""
        raise NotImplementedError

    async def _place(self, line: Line) -> list[int]:
        raise NotImplementedError

    async def _places(self, wanted: places.Wanted) -> list[Any]:
        """Rows of SELECT_GEOS."""
        raise NotImplementedError

    async def _keys(self, segment: int) -> list[int]:
        raise NotImplementedError

    async def find(self, line: Line, begin: bool) -> tuple[list[int], list[int]]:
        """See work.py."""
        if begin:
            await self.begin()
        ids = await self._place(line)
        return ids, await self._keys(line.segment)

    async def find_all(self, lines: Sequence[Line], begin: bool) -> list[tuple[list[int], list[int]]]:
        """See work.py."""
        if begin:
            await self.begin()
        found = places.of_lines(lines, [(one, await self._places(one)) for one in places.wanted(lines)])
        keys = {segment: await self._keys(segment) for segment in {line.segment for line in lines}}
        return [(place, keys[line.segment]) for place, line in zip(found, lines)]
