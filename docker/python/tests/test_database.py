"""Every scheme, statement, commit and protocol against a real PostgreSQL, where PEER_TEST_DBURL names one.

PEER_TEST_INGESTER, where it names the Rust program, is asked for the same job, and has to acknowledge the same.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

from peer.job import COMMITS, PROTOCOLS, STATEMENTS
from peer.schemes import NAMES
from tests import archives, database
from tests.jobs import DOCUMENT

LINES = 24
PROTOCOL = {"py-asyncio": "prepared", "py-psycopg3": "prepared", "py-psycopg3-async": "prepared"}

STRANGER = """-----BEGIN CERTIFICATE-----
MIIBgDCCASegAwIBAgIUeG38UIJNEJMdBz8qXemNRf56GHwwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKQSBzdHJhbmdlcjAgFw0yNjExMjcyMTQwMDZaGA8yMTI2MTEw
MzIxNDAwNlowFTETMBEGA1UEAwwKQSBzdHJhbmdlcjBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABGTY0a5G06Q9dY1x5lvtuHfmBwHb1+1/KM9XGUYOg69Ck8i8XzhW
Lbzw4q+X27f7G4G59mcT0R/YZ95zb6r+n4ejUzBRMB0GA1UdDgQWBBRnxIbfzG3A
rGSmyumz/lNtc+OwrzAfBgNVHSMEGDAWgBRnxIbfzG3ArGSmyumz/lNtc+OwrzAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCICdWflnCVpRH8sLHpN1V
tsOZU232TECPxLEbzFeyvX/dAiB+brulVztZTsFUzg+ICIf/8pN4x+YRZAAWSzmg
P1++WA==
-----END CERTIFICATE-----
"""
"""A certificate that signed nothing here."""

if not database.URL:
    print("PEER_TEST_DBURL is not set: NOTHING is tried against a database", file=sys.stderr)


class Case(unittest.TestCase):
    """Runs jobs over archives of its own; no tests."""

    folder: Path
    lines: int

    @classmethod
    def setUpClass(cls) -> None:
        if not database.URL:
            raise unittest.SkipTest("PEER_TEST_DBURL is not set")
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        archives.fill(cls.folder, cls.lines)

    def setUp(self) -> None:
        database.empty()

    def document(self, scheme: str, **fields: Any) -> dict[str, Any]:
        base = {**DOCUMENT, "dburl": database.URL, "data": str(self.folder), "scheme": scheme, "pool": 3}
        return {**base, "protocol": PROTOCOL.get(scheme, "simple"), **fields}

    def run_job(self, document: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        peer = database.Peer(document)
        code, last = peer.end()
        assert last is not None, peer.errors
        if code == 0:
            words = [one["event"] for one in peer.events]
            self.assertEqual(words[:3], ["started", "connected", "phase"], words)
            self.assertLessEqual(words.count("queue-filled"), len(document["phases"]), words)
        return code, last

    def assert_verified(self, result: dict[str, Any]) -> None:
        acknowledged = dict(result["acknowledged"])
        acknowledged.pop("lines")
        self.assertEqual(acknowledged, database.found())


class Encrypted(Case):
    """Jobs with `tls`, where the database offers it."""

    lines = LINES

    def setUp(self) -> None:
        super().setUp()
        with database.psycopg2.connect(database.URL) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW ssl")
            if cursor.fetchone() != ("on",):
                self.skipTest("the database offers no TLS")
            cursor.execute("SELECT pg_read_file('/run/ingest-lab/ca.crt')")
            [self.authority] = cursor.fetchone()

    def encrypted(self) -> list[tuple[bool, int]]:
        """The workers' connections by whether they are encrypted."""
        with database.psycopg2.connect(database.URL) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT ssl, count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
                "WHERE application_name = 'ingester' GROUP BY ssl"
            )
            return list(cursor.fetchall())

    def test_every_scheme_connects_encrypted_where_it_is_told_whom_to_trust(self) -> None:
        for scheme in NAMES:
            with self.subTest(scheme=scheme):
                database.empty()
                document = self.document(scheme, tls=self.authority)
                peer = database.Peer(document)
                peer.until("phase")
                self.assertEqual(self.encrypted(), [(True, document["pool"])])
                code, last = peer.end()
                self.assertEqual(code, 0, last)
                assert last is not None
                self.assertEqual(last["result"]["job"]["tls"], self.authority)
                self.assert_verified(last["result"])

    def test_who_is_not_trusted_is_not_spoken_to(self) -> None:
        for scheme in NAMES:
            with self.subTest(scheme=scheme):
                code, last = self.run_job(self.document(scheme, tls=STRANGER))
                self.assertEqual(code, 5, last)
                self.assertIn("certificate", last["error"].lower())


class Whole(Case):
    """Runs that come to the end of their data, or are refused."""

    lines = LINES

    def ingester(self, document: dict[str, Any]) -> dict[str, Any] | None:
        """What the Rust program acknowledges for the same job."""
        program = os.environ.get("PEER_TEST_INGESTER")
        if not program:
            return None
        database.empty()
        theirs = {**document, "scheme": "async", "protocol": "prepared"}
        answer = subprocess.run(
            [program, "run", "--job", "-"], input=json.dumps(theirs) + "\n", capture_output=True, text=True, check=True
        )
        acknowledged: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])["result"]["acknowledged"]
        return acknowledged

    def test_every_combination_is_exact_or_not_supported(self) -> None:
        expected = self.ingester(self.document("py-threads"))
        supported = []
        for combination in itertools.product(NAMES, STATEMENTS, COMMITS, PROTOCOLS):
            scheme, statement, commit, protocol = combination
            with self.subTest(scheme=scheme, statement=statement, commit=commit, protocol=protocol):
                database.empty()
                job = self.document(
                    scheme, statement=statement, commit=commit, protocol=protocol, batch=90, chunk=5, in_flight=50
                )
                code, last = self.run_job(job)
                self.assertIn(code, (0, 3), last)
                if code == 3:
                    self.assertEqual(last["code"], 3)
                    self.assertEqual(database.found()["geo_rows"], 0)
                    continue
                supported.append(combination)
                result = last["result"]
                self.assertEqual(result["acknowledged"]["lines"], 2 * LINES)
                self.assertEqual([phase["rows"] for phase in result["phases"]], [LINES, LINES * (222 + 196)])
                self.assert_verified(result)
                if expected:
                    self.assertEqual(result["acknowledged"], expected)
        print(f"{len(supported)} combinations verified", file=sys.stderr)

    def test_every_reader_gives_the_same(self) -> None:
        for scheme, reader in itertools.product(NAMES, ("thread", "process", "preload")):
            for queue in (1, 1000):
                with self.subTest(scheme=scheme, reader=reader, queue=queue):
                    database.empty()
                    job = self.document(scheme, statement="unnest", commit="record", reader=reader, queue=queue)
                    code, last = self.run_job(job)
                    self.assertEqual(code, 0, last)
                    self.assert_verified(last["result"])

    def test_limits_and_a_phase_alone(self) -> None:
        for scheme in NAMES:
            with self.subTest(scheme=scheme):
                database.empty()
                code, last = self.run_job(self.document(scheme, limit_geo=10, limit_lines=7))
                self.assertEqual(code, 0, last)
                acknowledged = last["result"]["acknowledged"]
                self.assertEqual((acknowledged["geo_rows"], acknowledged["lines"]), (10, 7))
                self.assert_verified(last["result"])
                database.empty()
                database.fill_geo(LINES)
                code, last = self.run_job(self.document(scheme, phases=["data"], limit_lines=7))
                self.assertEqual(code, 0, last)
                found = database.found()
                self.assertEqual(last["result"]["acknowledged"]["items"], found["items"])

    def test_work_that_is_put_in_is_done_for_each_row(self) -> None:
        for scheme, statement in itertools.product(NAMES, ("row", "executemany", "unnest")):
            with self.subTest(scheme=scheme, statement=statement):
                database.empty()
                how = {"statement": statement, "commit": "record", "limit_lines": 10, "inject": "spin=300us"}
                code, last = self.run_job(self.document(scheme, **how))
                if code == 3:
                    continue
                self.assertEqual(code, 0, last)
                self.assert_verified(last["result"])
                data = last["result"]["phases"][1]
                used = data["cpu"]["user"] + data["cpu"]["system"]
                self.assertGreater(used, 300e-6 * data["rows"])
                self.assertEqual(last["result"]["job"]["inject"], "spin=300us")

    def test_errors_end_with_their_code(self) -> None:
        for scheme in NAMES:
            with self.subTest(scheme=scheme):
                database.empty()
                code, last = self.run_job(self.document(scheme, limit_geo=3))
                self.assertEqual(code, 4, last)
                self.assertRegex(last["error"], r"^NY\d+_UF1.ZIP: line \d+: LOGRECNO 00000\d\d has no geographic")
                code, last = self.run_job(self.document(scheme))
                self.assertEqual(code, 5, last)
                self.assertIn("already holds rows", last["error"])
        unreachable = self.document("py-threads", dburl="postgresql://ingest:sEcret@127.0.0.1:1/x")
        code, last = self.run_job(unreachable)
        self.assertEqual(code, 5)
        self.assertNotIn("sEcret", json.dumps(last))
        code, last = self.run_job(self.document("py-threads", data="/nowhere"))
        self.assertEqual(code, 4)
        code, last = self.run_job(self.document("py-threads", unknown=1))
        self.assertEqual((code, last["event"]), (2, "failed"))
        database.empty()
        code, last = self.run_job(self.document("py-threads", pool=500))
        self.assertIn(code, (0, 5), last)


class Stops(Case):
    """Runs with more to do than they get the time for."""

    lines = 2_000

    def test_a_signal_ends_in_order(self) -> None:
        for scheme, commit in itertools.product(NAMES, COMMITS):
            with self.subTest(scheme=scheme, commit=commit):
                database.empty()
                peer = database.Peer(self.document(scheme, commit=commit))
                while peer.until("phase")["phase"] != "data":
                    pass
                time.sleep(0.4)
                peer.signal(signal.SIGTERM)
                code, last = peer.end(20)
                assert last is not None
                self.assertEqual((code, last["event"]), (130, "finished"), peer.errors)
                self.assertEqual(last["result"]["interrupted"], "signal")
                self.assertGreater(last["result"]["acknowledged"]["lines"], 0)
                self.assert_verified(last["result"])

    def test_seconds_end_in_order(self) -> None:
        for scheme, reader in itertools.product(NAMES, ("thread", "process")):
            with self.subTest(scheme=scheme, reader=reader):
                database.empty()
                code, last = self.run_job(self.document(scheme, seconds=1.0, reader=reader))
                self.assertEqual(code, 0, last)
                self.assertIsNone(last["result"]["interrupted"])
                self.assertLess(last["result"]["acknowledged"]["lines"], 4_000)
                self.assert_verified(last["result"])

    def test_a_second_signal_ends_at_once(self) -> None:
        for scheme in NAMES:
            with self.subTest(scheme=scheme):
                database.empty()
                # A chunk of a thousand lines, a round trip a row: an orderly end would take many seconds.
                job = self.document(scheme, commit="chunk", chunk=1000, phases=["geo"], pool=2, reader="process")
                peer = database.Peer(job)
                peer.until("phase")
                time.sleep(0.02)
                peer.signal(signal.SIGINT)
                peer.signal(signal.SIGTERM)
                code, _ = peer.end(5)
                self.assertEqual(code, 130, peer.errors)

    def test_a_killed_program_leaves_no_process(self) -> None:
        peer = database.Peer(self.document("py-processes", reader="process"))
        peer.until("phase")
        peer.signal(signal.SIGKILL)
        peer.process.wait(5)
        time.sleep(0.2)
        peer.end(5)

    def test_a_worker_that_dies_is_told(self) -> None:
        peer = database.Peer(self.document("py-processes", phases=["geo", "data"]))
        while peer.until("phase")["phase"] != "data":
            pass
        children = (Path("/proc") / str(peer.process.pid) / "task" / str(peer.process.pid) / "children").read_text()
        os.kill(int(children.split()[-1]), signal.SIGKILL)
        code, last = peer.end(10)
        assert last is not None
        self.assertEqual((code, last["event"], last["code"]), (1, "failed", 1))
        self.assertIn("a worker process died (signal 9)", last["error"])
        self.assertIn("a worker process died", peer.errors)


if __name__ == "__main__":
    unittest.main()
