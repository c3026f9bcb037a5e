"""Places of many lines, looked up together: one SELECT a file and state."""

from collections.abc import Iterable, Sequence

from peer.census.line import Line

Wanted = tuple[str, list[int], str]
"""File id, logical record numbers, state: the parameters of SELECT_GEOS."""


def wanted(lines: Sequence[Line]) -> list[Wanted]:
    """What to ask for."""
    numbers: dict[tuple[str, str], list[int]] = {}
    for line in lines:
        numbers.setdefault((line.file_id, line.stusab), []).append(line.logrecno)
    return [(file_id, of_it, stusab) for (file_id, stusab), of_it in numbers.items()]


def of_lines(lines: Sequence[Line], answers: Iterable[tuple[Wanted, Iterable[tuple[int, int]]]]) -> list[list[int]]:
    """Each line's ids, one where all is well, of what was asked for and answered."""
    found: dict[tuple[str, int, str], list[int]] = {}
    for (file_id, _, stusab), rows in answers:
        for logrecno, place in rows:
            found.setdefault((file_id, logrecno, stusab), []).append(place)
    return [found.get((line.file_id, line.logrecno, line.stusab), []) for line in lines]
