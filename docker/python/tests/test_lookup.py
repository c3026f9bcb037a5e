"""A lookup asks for every key once, in order, and what it delivers is summed up as the contract says."""

import contextlib
import io
import ipaddress
import threading
import time
import unittest
import uuid
import zlib
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from peer import job as jobs
from peer import schemes, sql
from peer.context import Context
from peer.drivers import patience
from peer.failure import Failure
from peer.feed import Feed, ThreadFeed
from peer.lookup import keys
from peer.lookup.delivery import EARLY, Delivery, contents
from tests.jobs import job, text

CONTRACT = Path(__file__).parents[3] / "docs" / "peer-contract.md"
LOOKUP: dict[str, Any] = {"workload": "lookup", "phases": ["data"]}
PROTOCOL = {"py-asyncio": "prepared", "py-psycopg3": "prepared", "py-psycopg3-async": "prepared"}


def node(number: int, tokens: int = 256) -> tuple[Any, ...]:
    """A row as a driver gives it."""
    return (
        f"node-{number:03}", "COMPLETED", ipaddress.ip_address("10.0.0.1"), "lab", "4", "dc1", "rack1", 1_425_000_000,
        uuid.UUID("0F1E2D3C-4B5A-6978-8796-a5b4c3d2e1f0"), "10.0.0.2", 3, "Murmur3", "2.1.3", 9160,
        datetime(2015, 2, 27, 1, 20, 0, 7, timezone(timedelta(hours=1))), 12.75, True, uuid.uuid4(),
        [str(token - 9_223_372_036_854_775_808) for token in range(tokens)], {"peers": 1}, 5_368_709_120,
        bytes(range(224, 256)),
    )  # fmt: skip


def digest(rows: list[tuple[Any, ...]]) -> int:
    """The contract's formula, row by row."""
    total = 0
    for before, row in enumerate(rows):
        total += (before + 1) * (int(row[0].split("-")[1]) + 257 * len(row[18]))
        if before % 64 == 0:
            total += (before + 1) * zlib.crc32(contents(row).encode())
    return total % 2**63


class Deliveries(unittest.TestCase):
    def test_a_fixed_row_has_a_fixed_digest(self) -> None:
        self.assertEqual(
            contents(node(5, 2)),
            "node-005|lab|1425000000|0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0|1424996400000007|51|1|"
            "-9223372036854775808,-9223372036854775807|5368709120|"
            "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
        )
        delivery = Delivery()
        delivery.ready(0, [node(5, 2), node(6, 2)])
        self.assertEqual(zlib.crc32(b"123456789"), 0xCBF43926)
        expected = 5 + 257 * 2 + 1_315_407_843 + 2 * (6 + 257 * 2)
        found = delivery.acknowledged()
        self.assertEqual(found["lookup"], {"rows": 2, "digest": expected})
        self.assertEqual((found["lines"], found["geo_rows"], found["items"]), (2, 0, []))

    def test_no_more_is_handed_out_than_may_wait_early(self) -> None:
        context = Context(job(**LOOKUP, pool=2, chunk=100, limit_lines=None, seconds=9))
        handed: list[int] = []

        def put(together: list[Any]) -> bool:
            handed.extend(chunk.number for chunk in together)
            return not context.stop

        thread = threading.Thread(target=keys.KeyReader(context).read, args=("data", 4, put), daemon=True)
        thread.start()
        time.sleep(0.2)
        self.assertEqual(len(handed) * 100, EARLY)
        context.delivery.rows += 1_000
        time.sleep(0.2)
        self.assertIn(len(handed) * 100 - EARLY, range(700, 1_001))
        context.stop = True
        thread.join(5)
        self.assertFalse(thread.is_alive())

    def test_chunks_out_of_order_are_delivered_in_order(self) -> None:
        rows = [node(number) for number in range(200)]
        pieces = [rows[start : start + 30] for start in range(0, 200, 30)]
        for order in ([0, 1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1, 0], [3, 0, 2, 6, 1, 5, 4]):
            delivery, delivered = Delivery(), []
            for number in order:
                delivery.ready(number, pieces[number])
                delivered.append(delivery.rows)
            self.assertEqual(delivery.acknowledged()["lookup"], {"rows": 200, "digest": digest(rows)})
        self.assertEqual(delivered, [0, 30, 30, 30, 120, 120, 200])

    def test_rows_that_change_places_change_the_digest(self) -> None:
        self.assertNotEqual(digest([node(3), node(4)]), digest([node(4), node(3)]))
        self.assertNotEqual(digest([node(3, 255)]), digest([node(3, 256)]))

    def test_the_digest_stays_below_2_to_the_63(self) -> None:
        delivery = Delivery()
        delivery.rows = 2**62
        delivery.ready(0, [node(255), node(255)])
        self.assertLess(delivery.acknowledged()["lookup"]["digest"], 2**63)

    def test_a_chunk_that_was_never_delivered_is_told(self) -> None:
        delivery = Delivery()
        delivery.ready(1, [node(1)])
        with self.assertRaisesRegex(Failure, "chunk 0"):
            delivery.acknowledged()


class Keys(unittest.TestCase):
    def test_requests_go_round_the_keys_in_chunks(self) -> None:
        for size in (1, 7, 255, 256, 257, 1_000):
            chunks = list(keys.chunks(size, 2_345))
            self.assertEqual([chunk.number for chunk in chunks], list(range(len(chunks))))
            self.assertEqual({len(chunk.keys) for chunk in chunks[:-1]}, {size})
            asked = [key for chunk in chunks for key in chunk.keys]
            self.assertEqual(asked, [f"node-{number % 256:03}" for number in range(2_345)])

    def test_the_queue_counts_keys_and_holds_whole_chunks(self) -> None:
        for chunk, places in ((10, 100), (300, 4), (1_000, 1)):
            rooms: list[int] = []

            def make(room: int, stopped: Callable[[], bool], rooms: list[int] = rooms) -> Feed:
                rooms.append(room)
                return ThreadFeed(room, stopped)

            Context(job(**LOOKUP, chunk=chunk, queue=1_000)).make_feeds(make)
            self.assertEqual(rooms, [places])

    def test_a_time_alone_has_no_number_of_keys(self) -> None:
        self.assertEqual(job(**LOOKUP).keys, 10_000)
        self.assertEqual(job(**LOOKUP, limit_lines=7, seconds=1).keys, 7)
        self.assertIsNone(job(**LOOKUP, seconds=1).keys)
        self.assertEqual(list(keys.chunks(10, 0)), [])

    def test_the_statement_is_the_contracts(self) -> None:
        self.assertEqual(len(sql.NODE_COLUMNS), 22)
        contract = " ".join(CONTRACT.read_text(encoding="utf-8").split()) if CONTRACT.exists() else ""
        if "FROM node" in contract:
            self.assertIn(sql.SELECT_NODE, contract)


class Jobs(unittest.TestCase):
    def refused(self, scheme: str, **fields: Any) -> str:
        fields = {**LOOKUP, "scheme": scheme, "protocol": PROTOCOL.get(scheme, "simple"), **fields}
        with self.assertRaises(Failure) as caught:
            schemes.find(scheme, "lookup").check(job(**fields))
        self.assertEqual(caught.exception.exit, 3)
        return str(caught.exception)

    def test_what_a_lookup_is_not_is_wrong(self) -> None:
        for fields, word in (
            ({"phases": ["geo", "data"]}, "phase data"), ({"phases": ["geo"]}, "phase data"),
            ({"commit": "record"}, "auto"), ({"reader": "preload"}, "thread"),
        ):  # fmt: skip
            with self.assertRaisesRegex(Failure, word) as caught:
                jobs.parse(text(**{**LOOKUP, **fields}))
            self.assertEqual(caught.exception.exit, 2)
        with self.assertRaisesRegex(Failure, "workload") as caught:
            jobs.parse(text(workload="lookups"))
        self.assertEqual(caught.exception.exit, 2)
        for statement in ("multirow", "unnest", "copy"):
            with self.assertRaisesRegex(Failure, "row or executemany") as caught:
                jobs.parse(text(**LOOKUP, statement=statement))
            self.assertEqual(caught.exception.exit, 3)

    def test_a_job_that_names_no_workload_is_a_census(self) -> None:
        self.assertEqual(job().workload, "census")
        self.assertEqual(job(**LOOKUP).public()["workload"], "lookup")

    def test_a_driver_says_what_to_ask_for(self) -> None:
        for scheme in ("py-threads", "py-gevent", "py-aiopg"):
            self.assertIn("ask for row", self.refused(scheme, statement="executemany"))
        for scheme in ("py-threads", "py-gevent", "py-aiopg", "py-processes"):
            self.assertIn("protocol simple", self.refused(scheme, protocol="prepared"))
        for scheme in ("py-psycopg3", "py-psycopg3-async"):
            refused = self.refused(scheme, statement="executemany", protocol="simple")
            self.assertIn("prepared or unnamed", refused)
        self.assertIn("ask for prepared", self.refused("py-asyncio", protocol="unnamed"))
        for protocol in ("unnamed", "simple"):
            self.assertIn("ask for prepared", self.refused("py-processes", statement="executemany", protocol=protocol))

    def test_what_it_does_is_not_refused(self) -> None:
        for scheme, statement, protocol in (
            ("py-threads", "row", "simple"), ("py-gevent", "row", "simple"), ("py-aiopg", "row", "simple"),
            ("py-processes", "row", "simple"), ("py-processes", "executemany", "prepared"),
            ("py-asyncio", "row", "prepared"), ("py-asyncio", "executemany", "prepared"),
            ("py-psycopg3", "executemany", "unnamed"), ("py-psycopg3-async", "row", "simple"),
        ):  # fmt: skip
            schemes.find(scheme, "lookup").check(job(**LOOKUP, scheme=scheme, statement=statement, protocol=protocol))


class Patience(unittest.TestCase):
    def test_a_server_that_has_room_again_is_connected_to(self) -> None:
        refusals = [ConnectionRefusedError("refused"), ConnectionRefusedError("refused")]

        def connect() -> str:
            if refusals:
                raise refusals.pop()
            return "open"

        with contextlib.redirect_stderr(io.StringIO()) as said:
            self.assertEqual(patience.connect("worker 0", connect), "open")
        self.assertIn("there was no room 2 times", said.getvalue())

    def test_patience_ends_and_other_refusals_are_final(self) -> None:
        tried: list[None] = []

        def refused() -> None:
            tried.append(None)
            raise ConnectionRefusedError("refused")

        def wrong() -> None:
            raise ValueError("no such user")

        with self.assertRaises(ConnectionRefusedError):
            patience.connect("worker 0", refused, 0.3)
        self.assertGreater(len(tried), 1)
        with self.assertRaises(ValueError):
            patience.connect("worker 0", wrong)


if __name__ == "__main__":
    unittest.main()
