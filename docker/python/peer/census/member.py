"""The lines of an archive's one member, inflated as they are read; its checksum is right when they have ended."""

import zipfile
import zlib
from collections.abc import Iterator

from peer.census import names
from peer.census.files import Archive
from peer.failure import Exit, Failure

MAX_LINE = 16 * 1024
"""The longest line that is read; the longest that SF1 can have is about 3,300 bytes."""

MAX_MEMBER = 0xFFFF_FFFF
"""The longest member that is read: plain zip ends there, and no real one comes near."""

_BLOCK = 256 * 1024
_GET_AGAIN = "get it again (`ingester fetch STATE --segment NN`) or make one (`ingester generate`)"


def _wrong(message: str) -> Failure:
    return Failure(Exit.DATA, message)


def blocks(archive: Archive) -> Iterator[list[str]]:
    """A member's lines without their line ends, a list a block of text, as Latin-1: a byte a character. The lists
    together are the whole member; a last line without a line end counts."""
    path = archive.path
    try:
        with zipfile.ZipFile(path) as file:
            info = _only_member(archive, file)
            with _open(path, file, info) as member:
                yield from _lines(path, member)
    except zipfile.BadZipFile as error:
        if "CRC" in str(error):
            raise _wrong(f"{path}: its member is damaged: its checksum does not match: {_GET_AGAIN}") from None
        raise _wrong(f"{path}: not a complete zip file ({error}): {_GET_AGAIN}") from None
    except EOFError:
        raise _wrong(f"{path}: its member is damaged: it is cut short: {_GET_AGAIN}") from None
    except zlib.error as error:
        raise _wrong(f"{path}: its member is damaged: {error}: {_GET_AGAIN}") from None
    except OSError as error:
        raise _wrong(f"{path}: cannot be read: {error.strerror or error}") from None


def _only_member(archive: Archive, file: zipfile.ZipFile) -> zipfile.ZipInfo:
    path, members = archive.path, file.infolist()
    if not members:
        raise _wrong(f"{path}: the archive is empty: {_GET_AGAIN}")
    if len(members) > 1:
        raise _wrong(f"{path}: {len(members)} members where an SF1 archive has one: put each in an archive of its own")
    info = members[0]
    if names.of_member(info.filename) != archive.name:
        raise _wrong(
            f'{path}: holds "{info.filename}", expected {archive.name.member()}: name the archive after what it holds'
        )
    if info.file_size > MAX_MEMBER:
        raise _wrong(f"{path}: its member would be {info.file_size} bytes, more than any SF1 file: {_GET_AGAIN}")
    how = None
    if info.flag_bits & 0x1:
        how = "encryption"
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        how = f"compression method {info.compress_type}"
    if how:
        raise _wrong(f"{path}: uses {how}: pack its member again with plain deflate")
    return info


def _open(path: str, file: zipfile.ZipFile, info: zipfile.ZipInfo) -> zipfile.ZipExtFile:
    try:
        return file.open(info)
    except (RuntimeError, NotImplementedError) as error:
        raise _wrong(f"{path}: uses {error}: pack its member again with plain deflate") from None


def _lines(path: str, member: zipfile.ZipExtFile) -> Iterator[list[str]]:
    number, rest = 0, ""
    while block := member.read(_BLOCK):
        lines = (rest + block.decode("latin-1")).split("\n")
        rest = lines.pop()
        _check_lengths(path, number, [*lines, rest])
        number += len(lines)
        yield [line.removesuffix("\r") for line in lines]
    if rest:
        yield [rest.removesuffix("\r")]


def _check_lengths(path: str, before: int, lines: list[str]) -> None:
    if max(map(len, lines)) > MAX_LINE:
        number = next(index for index, line in enumerate(lines, before + 1) if len(line) > MAX_LINE)
        raise _wrong(f"{path}: line {number}: longer than {MAX_LINE} bytes: no SF1 file has such lines")
