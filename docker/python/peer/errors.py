"""Drivers' errors, and findings about records, as sentences that name file, line and remedy."""

from collections.abc import Sequence
from typing import Any

from peer.census.line import Line
from peer.failure import Exit, Failure
from peer.job import place


def geo_id(ids: Sequence[int], line: Line) -> int:
    """The geographic id among those SELECT_GEO gave."""
    if len(ids) == 1:
        return ids[0]
    where = f"{line.file}: line {line.number}: LOGRECNO {line.logrecno:07}"
    if ids:
        raise Failure(Exit.DATA, f"{where} has {len(ids)} geographic records")
    raise Failure(
        Exit.DATA,
        f"{where} has no geographic record: load the whole header file (a higher limit_geo), or derive one with "
        "`ingester geo-from`",
    )


def check_keys(keys: Sequence[int], line: Line) -> None:
    """Refuses keys that are not as many as the line has items."""
    if len(keys) != len(line.values):
        raise Failure(
            Exit.DATA,
            f"{line.file}: line {line.number}: the line has {len(line.values)} items, the dictionary in the database "
            f"lists {len(keys)} for segment {line.segment:02}: run `ingester rebuild`, or check that the file is "
            f"segment {line.segment:02}",
        )


def _origin(records: Sequence[Any]) -> str:
    first, last = records[0], records[-1]
    if len(records) == 1:
        return f"{first.file}: line {first.number}"
    if first.file == last.file:
        return f"{first.file}: one of lines {first.number} to {last.number}"
    return f"{first.file}: line {first.number}, to {last.file}: line {last.number}"


def _sqlstate(error: BaseException) -> str | None:
    return getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)


def _detail(error: BaseException) -> str:
    diag = getattr(error, "diag", None)
    detail = getattr(diag, "message_detail", None) or getattr(error, "detail", None)
    return detail if isinstance(detail, str) else ""


def _message(error: BaseException) -> str:
    diag = getattr(error, "diag", None)
    text = getattr(diag, "message_primary", None) or str(error) or type(error).__name__
    return " ".join(text.split()).removesuffix(":")


def is_of_database(error: BaseException) -> bool:
    """Whether a driver or the network raised it, and not a mistake of this program's."""
    module = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError) or module in ("psycopg2", "psycopg", "asyncpg", "aiopg") or bool(_sqlstate(error))


def explain(error: BaseException, url: str, records: Sequence[Any] = ()) -> Failure:
    """Any error that came up while records went to the database, or while connecting."""
    if isinstance(error, Failure):
        return error
    origin = f"{_origin(records)}: " if records else ""
    if not is_of_database(error):
        return Failure(Exit.UNFORESEEN, f"{origin}{type(error).__name__}: {_message(error)}: this is a bug")
    if _sqlstate(error) == "23505":
        return Failure(
            Exit.DATA,
            f"{origin}the geographic record is there twice ({_detail(error)}): each LOGRECNO may occur once a state",
        )
    return Failure(Exit.DATABASE, origin + _sentence(error, place(url)))


def _is_crowded(state: str | None, message: str) -> bool:
    return state == "53300" or "too many clients" in message or "connection slots are reserved" in message


def may_pass(error: BaseException) -> bool:
    """Whether it came up because many connect at once: trying again soon may do."""
    return (
        _is_crowded(_sqlstate(error), _message(error))
        or isinstance(error, ConnectionRefusedError)
        or "Connection refused" in _message(error)
    )


def _sentence(error: BaseException, where: str) -> str:
    state, message = _sqlstate(error), _message(error)
    # libpq tells what went wrong while connecting in its text only.
    if state in ("28P01", "28000") or "password authentication failed" in message or "no password" in message:
        return f"the database at {where} refuses the user or password ({message}): check the URL's user:password"
    if _is_crowded(state, message):
        return (
            f"the database at {where} has no connection left ({message}): use a smaller pool, or raise max_connections"
        )
    if state == "42P01":
        return f"the database at {where} lacks a table ({message}): run `ingester rebuild` first"
    if state == "3D000" or ("database" in message and "does not exist" in message):
        return f"the database at {where} does not exist ({message}): create it, or correct the URL"
    if state is None or state.startswith(("08", "57")):
        if any(word in message for word in ("closed", "terminat", "reset", "lost")):
            return (
                f"the connection to the database at {where} was lost ({message}): check that it runs; its log says why"
            )
        return f"the database at {where} is not reachable ({message}): check that it runs and that the URL names it"
    detail = _detail(error)
    return f"the database at {where} says: {message} ({state}){'; ' + detail if detail else ''}"
