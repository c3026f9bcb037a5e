"""Lookups by every scheme against a real PostgreSQL, where PEER_TEST_DBURL names one."""

import itertools
import os
import signal
import time
import unittest
import zlib
from pathlib import Path
from typing import Any

import psycopg2

from peer.job import PROTOCOLS
from peer.schemes import NAMES
from tests import database
from tests.jobs import DOCUMENT

PROTOCOL = {"py-asyncio": "prepared", "py-psycopg3": "prepared", "py-psycopg3-async": "prepared"}

_NODES = """
SELECT substr(key, 6)::int, cardinality(tokens), concat_ws('|', key, cluster_name, gossip_generation, host_id,
       (extract(epoch FROM started_at) * 1000000)::int8, (load * 4)::int8, is_seed::int, array_to_string(tokens, ','),
       disk_bytes, encode(checksum, 'hex'))
FROM node ORDER BY key"""


def execute(statement: str) -> list[tuple[Any, ...]]:
    """What a statement gives."""
    with psycopg2.connect(database.URL) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


class Case(unittest.TestCase):
    """Knows what deliveries in order add up to; no tests."""

    nodes: list[tuple[Any, ...]]

    @classmethod
    def setUpClass(cls) -> None:
        if not database.URL:
            raise unittest.SkipTest("PEER_TEST_DBURL is not set")
        cls.nodes = execute(_NODES)
        assert len(cls.nodes) == 256

    def document(self, scheme: str, **fields: Any) -> dict[str, Any]:
        lookup = {"workload": "lookup", "phases": ["data"], "dburl": database.URL, "scheme": scheme, "data": "/nowhere"}
        return {**DOCUMENT, **lookup, "pool": 3, "chunk": 10, "protocol": PROTOCOL.get(scheme, "simple"), **fields}

    def run_job(self, document: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        peer = database.Peer(document)
        code, last = peer.end()
        assert last is not None, peer.errors
        return code, last

    def assert_delivered(self, result: dict[str, Any], rows: int | None = None) -> None:
        delivered = result["acknowledged"]["lookup"]
        if rows is not None:
            self.assertEqual(delivered["rows"], rows)
        digest = 0
        for before in range(delivered["rows"]):
            number, tokens, contents = self.nodes[before % 256]
            value = number + 257 * tokens + (zlib.crc32(contents.encode()) if before % 64 == 0 else 0)
            digest = (digest + (before + 1) * value) % 2**63
        self.assertEqual(delivered["digest"], digest)
        [phase] = result["phases"]
        self.assertEqual((phase["phase"], phase["rows"]), ("data", delivered["rows"]))
        self.assertEqual((phase["records"], result["acknowledged"]["lines"]), (delivered["rows"], delivered["rows"]))


class Lookups(Case):
    """Whatever is delivered is what the table holds, in the order of the keys."""

    def test_every_combination_is_exact_or_not_supported(self) -> None:
        done = []
        for combination in itertools.product(NAMES, ("row", "executemany"), PROTOCOLS):
            scheme, statement, protocol = combination
            with self.subTest(scheme=scheme, statement=statement, protocol=protocol):
                job = self.document(scheme, statement=statement, protocol=protocol, limit_lines=1_003, in_flight=7)
                code, last = self.run_job(job)
                self.assertIn(code, (0, 3), last)
                if code == 0:
                    done.append(combination)
                    self.assert_delivered(last["result"], 1_003)
                    self.assertNotIn("lost", last["result"])
        self.assertEqual({scheme for scheme, _, _ in done}, set(NAMES))
        self.assertEqual(len(done), 17)

    def test_chunks_of_any_size_and_more_workers_than_chunks(self) -> None:
        for scheme, (chunk, pool, keys) in itertools.product(NAMES, [(1, 5, 300), (1_000, 2, 2_100), (100, 6, 150)]):
            with self.subTest(scheme=scheme, chunk=chunk):
                code, last = self.run_job(self.document(scheme, chunk=chunk, pool=pool, limit_lines=keys, queue=2))
                self.assertEqual(code, 0, last)
                self.assert_delivered(last["result"], keys)

    def test_nothing_to_ask_for_is_done_at_once(self) -> None:
        for scheme in NAMES:
            with self.subTest(scheme=scheme):
                code, last = self.run_job(self.document(scheme, limit_lines=0))
                self.assertEqual(code, 0, last)
                self.assert_delivered(last["result"], 0)

    def test_seconds_and_a_signal_end_in_order(self) -> None:
        for scheme in NAMES:
            with self.subTest(scheme=scheme):
                code, last = self.run_job(self.document(scheme, seconds=0.7))
                self.assertEqual(code, 0, last)
                self.assert_delivered(last["result"])
                peer = database.Peer(self.document(scheme, seconds=60))
                peer.until("phase")
                time.sleep(0.4)
                peer.signal(signal.SIGTERM)
                code, ended = peer.end(10)
                assert ended is not None
                self.assertEqual((code, ended["event"]), (130, "finished"), peer.errors)
                self.assertGreater(ended["result"]["acknowledged"]["lines"], 0)
                self.assert_delivered(ended["result"])

    def test_a_table_that_is_not_there_or_not_whole_is_refused(self) -> None:
        execute("ALTER TABLE node RENAME TO node_away")
        try:
            code, last = self.run_job(self.document("py-threads"))
            self.assertEqual(code, 5)
            self.assertIn("lacks the table node: run `ingester rebuild`", last["error"])
            execute("CREATE TABLE node (LIKE node_away)")
            code, last = self.run_job(self.document("py-threads"))
            self.assertEqual(code, 5)
            self.assertIn("holds 0 rows, not 256: run `ingester rebuild`", last["error"])
        finally:
            execute("DROP TABLE IF EXISTS node")
            execute("ALTER TABLE node_away RENAME TO node")


class Deaths(Case):
    """Worker processes that are killed."""

    def start(self, **fields: Any) -> tuple[database.Peer, list[int]]:
        peer = database.Peer(self.document("py-processes", **{"seconds": 60, "pool": 4, **fields}))
        peer.until("phase")
        time.sleep(0.3)
        pid = str(peer.process.pid)
        children = (Path("/proc") / pid / "task" / pid / "children").read_text().split()
        return peer, [int(child) for child in children]

    def test_others_do_the_work_of_a_worker_that_dies(self) -> None:
        for statement, protocol in (("row", "simple"), ("executemany", "prepared")):
            for chunk in (1, 100):
                with self.subTest(statement=statement, chunk=chunk):
                    peer, workers = self.start(statement=statement, protocol=protocol, chunk=chunk)
                    os.kill(workers[1], signal.SIGKILL)
                    lost = peer.until("worker-lost")
                    self.assertEqual(lost["worker"], 1)
                    self.assertIn("worker process 1 died (signal 9)", lost["error"])
                    os.kill(workers[3], signal.SIGKILL)
                    self.assertEqual(peer.until("worker-lost")["worker"], 3)
                    time.sleep(0.2)
                    peer.signal(signal.SIGTERM)
                    code, last = peer.end(10)
                    assert last is not None
                    self.assertEqual((code, last["event"]), (130, "finished"), peer.errors)
                    self.assertEqual(len(last["result"]["lost"]), 2)
                    self.assert_delivered(last["result"])

    def test_one_that_dies_with_the_last_chunk_is_made_up_for(self) -> None:
        # Long chunks, all of them handed out: what the dead leave comes back when the others have nothing to do.
        peer, workers = self.start(seconds=None, limit_lines=8_000, chunk=1_000)
        for worker in workers[:3]:
            os.kill(worker, signal.SIGKILL)
        code, last = peer.end(30)
        assert last is not None
        self.assertEqual(code, 0, last)
        self.assertEqual(len(last["result"]["lost"]), 3)
        self.assert_delivered(last["result"], 8_000)

    def test_the_run_fails_when_no_worker_is_left(self) -> None:
        peer, workers = self.start()
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        code, last = peer.end(10)
        assert last is not None
        self.assertEqual((code, last["event"], last["code"]), (1, "failed", 1))
        self.assertIn("no other is left", last["error"])

    def test_a_killed_program_leaves_no_process(self) -> None:
        peer, _ = self.start()
        peer.signal(signal.SIGKILL)
        peer.process.wait(5)
        time.sleep(0.2)
        peer.end(5)


if __name__ == "__main__":
    unittest.main()
