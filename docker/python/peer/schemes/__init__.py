"""One file a scheme: what a worker runs on, and over which driver.

A scheme module has

    check(job)          refuses, with exit code 3, what the driver cannot do with the contract's meaning
    FEED                the queue its workers take records from
    RAW                 whether its workers parse what they take (they are processes)
    prepare(context)    before any thread exists: starts processes, where there are any
    start(context)      starts the workers, which tell the coordinator how they fare
    VERSIONS            the distributions it uses, for `program`
"""

import importlib
from types import ModuleType

from peer.failure import not_supported

NAMES = {
    "py-threads": "py_threads",
    "py-gevent": "py_gevent",
    "py-asyncio": "py_asyncio",
    "py-aiopg": "py_aiopg",
    "py-psycopg3": "py_psycopg3",
    "py-psycopg3-async": "py_psycopg3_async",
    "py-processes": "py_processes",
}


_OF_LOOKUPS = {**NAMES, "py-processes": "py_processes_lookup"}
"""Where a lookup's workers run: the same, except that its processes send rows back."""


def find(name: str, workload: str = "census") -> ModuleType:
    """The scheme's module; only its own driver is imported."""
    if name not in NAMES:
        raise not_supported(f"this program has no scheme {name}: ask for one of {', '.join(NAMES)}")
    modules = _OF_LOOKUPS if workload == "lookup" else NAMES
    try:
        return importlib.import_module(f"peer.schemes.{modules[name]}")
    except ImportError as error:
        raise not_supported(
            f"the scheme {name} lacks a package here ({error}): install docker/python/requirements.txt"
        ) from error
