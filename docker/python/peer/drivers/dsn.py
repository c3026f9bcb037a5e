"""How a job becomes connection parameters, the same for every driver."""

import os
import ssl
from functools import cache

import psycopg2
from psycopg2.extensions import parse_dsn

from peer.failure import Exit, Failure
from peer.job import Job

CONNECT_TIMEOUT = 20
"""A connection that nobody answers is given up after so many seconds."""


def parameters(job: Job) -> dict[str, str]:
    """libpq's parameters. No encryption unless the job or its URL asks for it, as in the ingester: a server that
    offers it would make this program slower for another reason than what is compared."""
    try:
        found: dict[str, str] = parse_dsn(job.dburl)
    except psycopg2.Error:
        # The driver's words may quote the URL with its password.
        raise Failure(
            Exit.USAGE,
            "the database URL cannot be read: it looks like postgresql://user:password@host:5432/name",
        ) from None
    if job.tls is not None:
        found |= {"sslmode": "verify-full", "sslrootcert": _file(job.tls)}
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


@cache
def _file(pem: str) -> str:
    """A file with this text, for libpq, which wants one: in memory, because the container's files are read-only. It is
    there as long as this process and those it forks."""
    file = os.memfd_create("ca.crt", 0)
    os.write(file, pem.encode())
    return f"/proc/self/fd/{file}"


def encryption(found: dict[str, str]) -> ssl.SSLContext | str:
    """The same for asyncpg, whose TLS is Python's: what to verify by, else libpq's word."""
    file = found.get("sslrootcert")
    return found["sslmode"] if file is None else _context(file)


@cache
def _context(file: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=file)
