"""A data directory: which of its files are SF1 archives, and whether they belong together."""

import os
from typing import NamedTuple

from peer.census import names
from peer.census.names import SourceName
from peer.failure import Exit, Failure


class Archive(NamedTuple):
    """A file and what its name says it holds."""

    path: str
    name: SourceName


class DataDir(NamedTuple):
    """The archives of a directory, by state and segment."""

    headers: list[Archive]
    segments: list[Archive]


def _wrong(message: str) -> Failure:
    return Failure(Exit.DATA, message)


def scan(directory: str, needs_segments: bool) -> DataDir:
    """Finds the archives directly in a directory by their names; it opens none of them."""
    try:
        # Sorted, so that what is found and what is refused never depends on the file system.
        files = sorted(entry.name for entry in os.scandir(directory) if entry.is_file())
    except OSError as error:
        raise _wrong(
            f"{directory}: cannot be read: {error.strerror}: create it, or name another as the job's data"
        ) from None
    found: dict[SourceName, str] = {}
    for file in files:
        name = names.of_archive(file)
        if name is None:
            continue
        path = os.path.join(directory, file)
        if name in found:
            raise _wrong(f"{found[name]} and {path} are the same part of the same state: keep one")
        found[name] = path
    if not found:
        raise _wrong(
            f"{directory}: no Census file there: `make lab` fills it with generated data, and so does "
            f"`ingester generate --data {directory}`; `ingester fetch STATE --segment NN --data {directory}` "
            "gets real files"
        )
    archives = [Archive(found[name], name) for name in sorted(found)]
    return _checked(directory, archives, needs_segments)


def _checked(directory: str, archives: list[Archive], needs_segments: bool) -> DataDir:
    headers = [archive for archive in archives if archive.name.segment == names.GEO]
    segments = [archive for archive in archives if archive.name.segment != names.GEO]
    states = {archive.name.state for archive in headers}
    for path, name in segments:
        if name.state not in states:
            header = SourceName(name.state, names.GEO).archive()
            raise _wrong(
                f"{path}: no geographic header {header} beside it: derive one with `ingester geo-from {path}`, "
                f"or get it with `ingester fetch {name.state} --geo`"
            )
    if needs_segments and not segments:
        raise _wrong(
            f"{directory}: a geographic header but no segment: `ingester generate --data {directory}` makes one, "
            f"`ingester fetch STATE --segment NN --data {directory}` gets a real one, phase geo alone leaves the "
            "data phase out"
        )
    return DataDir(headers, segments)
