"""How a job's database URL becomes connection parameters, the same for every driver."""

import psycopg2
from psycopg2.extensions import parse_dsn

from peer.failure import Exit, Failure

CONNECT_TIMEOUT = 20
"""A connection that nobody answers is given up after so many seconds."""


def parameters(url: str) -> dict[str, str]:
    """libpq's parameters. No encryption unless the URL asks for it: the ingester has none, and a server that offers it
    would make this program slower for another reason than what is compared."""
    try:
        found: dict[str, str] = parse_dsn(url)
    except psycopg2.Error:
        # The driver's words may quote the URL with its password.
        raise Failure(
            Exit.USAGE,
            "the database URL cannot be read: it looks like postgresql://user:password@host:5432/name",
        ) from None
    for name, value in (
        ("sslmode", "disable"),
        ("gssencmode", "disable"),
        ("application_name", "ingester"),
        ("connect_timeout", str(CONNECT_TIMEOUT)),
        ("keepalives_idle", "20"),
        ("keepalives_interval", "20"),
        ("tcp_user_timeout", "60000"),
    ):
        found.setdefault(name, value)
    return found
