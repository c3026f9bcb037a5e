"""A job is understood whole or refused."""

import json
import unittest
from typing import Any

from peer import job as jobs
from peer import schemes, sql
from peer.failure import Failure
from tests.jobs import DOCUMENT, job, text

WITH_DEFAULT = {"batch": 100, "chunk": 16, "limit_geo": None, "limit_lines": None, "seconds": None, "metrics": True}


class Jobs(unittest.TestCase):
    def refused(self, document: str, code: int = 2) -> str:
        with self.assertRaises(Failure) as caught:
            jobs.parse(document)
        self.assertEqual(caught.exception.exit, code)
        self.assertNotIn("secret", str(caught.exception))
        return str(caught.exception)

    def test_only_fields_with_a_default_may_be_left_out(self) -> None:
        whole = jobs.parse(text())
        for field, value in WITH_DEFAULT.items():
            self.assertEqual(getattr(whole, field), value)
        for field in DOCUMENT.keys() - {"protocol"}:
            without = {name: value for name, value in DOCUMENT.items() if name != field}
            self.assertIn(field, self.refused(json.dumps(without)))

    def test_what_it_would_not_do_is_refused(self) -> None:
        self.assertIn("nonsense", self.refused(text(nonsense=1)))
        self.assertIn("schema 2", self.refused(text(schema=2)))
        self.assertIn("child", self.refused(text(child=True)))
        for inject in ("sleep=5ms", "spin=20us,read=2ms", "spin=20", "spin=x"):
            self.assertIn("inject none, or spin", self.refused(text(inject=inject), 3))
        for name in ("progress", "resume", "retry"):
            self.assertIn(f"without {name}", self.refused(text(**{name: True}), 3))
        self.assertIn("JSON", self.refused("{"))
        self.assertIn("JSON", self.refused("[]"))

    def test_words_and_numbers_are_checked(self) -> None:
        wrong: list[dict[str, Any]] = [
            {"pool": 0}, {"pool": 501}, {"pool": True}, {"pool": 1.5}, {"in_flight": 0}, {"batch": 21_846},
            {"chunk": 1_001}, {"queue": 0}, {"phases": []}, {"phases": ["data", "geo"]}, {"phases": ["geo", "geo"]},
            {"phases": [1]}, {"seconds": 0}, {"seconds": 86_401}, {"limit_lines": -1}, {"statement": "rows"},
            {"commit": "none"}, {"reader": "x"}, {"protocol": "x"}, {"dburl": 1}, {"metrics": 1},
        ]  # fmt: skip
        for fields in wrong:
            self.refused(text(**fields))

    def test_a_result_holds_no_password(self) -> None:
        public = job().public()
        self.assertEqual(public["dburl"], "postgresql://db:5432/ingest")
        self.assertNotIn("inject", public)
        self.assertEqual(job(inject="spin=20us").public()["inject"], "spin=20us")
        self.assertNotIn("tls", public)
        self.assertEqual(job(tls="a certificate").public()["tls"], "a certificate")
        for url in ("postgresql://me:s/?ecret@db/x", "postgresql://db/x?password=a@ecret", "host=db password=secret"):
            self.assertNotIn("ecret", jobs.place(url))
        self.assertEqual(jobs.place("postgresql://me:s@cret@db:5432/ingest?x=1"), "postgresql://db:5432/ingest")

    def test_the_batch_is_made_of_few_statements(self) -> None:
        self.assertEqual(sql.sizes(100), [100, 64, 32, 16, 8, 4, 2, 1])
        self.assertEqual(sql.sizes(64), [64, 32, 16, 8, 4, 2, 1])
        self.assertEqual(sql.sizes(1), [1])
        self.assertTrue(sql.insert_rows(2).endswith("VALUES ($1, $2, $3), ($4, $5, $6)"))


class Combinations(unittest.TestCase):
    def refused(self, scheme: str, **fields: Any) -> str:
        wanted = job(scheme=scheme, **fields)
        with self.assertRaises(Failure) as caught:
            schemes.find(scheme).check(wanted)
        self.assertEqual(caught.exception.exit, 3)
        return str(caught.exception)

    def test_a_scheme_it_has_not_is_not_supported(self) -> None:
        with self.assertRaisesRegex(Failure, "py-threads") as caught:
            schemes.find("threads")
        self.assertEqual(caught.exception.exit, 3)

    def test_a_driver_says_what_to_ask_for(self) -> None:
        for scheme in ("py-threads", "py-gevent", "py-processes", "py-aiopg"):
            for protocol in ("prepared", "unnamed"):
                self.assertIn("ask for protocol simple", self.refused(scheme, protocol=protocol))
        self.assertIn("ask for prepared", self.refused("py-asyncio", protocol="simple"))
        self.assertIn("record", self.refused("py-asyncio", protocol="prepared", statement="executemany"))
        self.assertIn("ask for another statement", self.refused("py-gevent", statement="copy"))
        for statement in ("executemany", "copy"):
            self.assertIn("aiopg has no", self.refused("py-aiopg", statement=statement))
        for scheme in ("py-psycopg3", "py-psycopg3-async"):
            self.assertIn("record", self.refused(scheme, protocol="prepared", statement="executemany"))
            self.assertIn("simple", self.refused(scheme, commit="record", statement="executemany"))


if __name__ == "__main__":
    unittest.main()
