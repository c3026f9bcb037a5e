"""The format is read as the ingester reads it, and refused in the same words."""

import tempfile
import unittest
from decimal import Decimal
from pathlib import Path

from peer import reader
from peer.census import files, geo, line, names
from peer.failure import Failure
from peer.job import Job
from tests import archives
from tests.jobs import job


class Lines(unittest.TestCase):
    def parse(self, text: str) -> line.Line:
        return line.parse(text, "ny", 1, "ny00001_uf1.zip", 7)

    def refused(self, text: str) -> str:
        with self.assertRaises(line.LineError) as caught:
            self.parse(text)
        return str(caught.exception)

    def test_whole_numbers_are_ints_and_fractions_decimals(self) -> None:
        parsed = self.parse("uSF1,NY,000,01,0000012,18976457,0,35.5,-1.25,-7,.5,99999999.99,007,12.00")
        self.assertEqual((parsed.file_id, parsed.stusab, parsed.logrecno), ("uSF1", "NY", 12))
        expected = [18976457, 0, Decimal("35.5"), Decimal("-1.25"), -7, Decimal("0.5"), Decimal("99999999.99"), 7, 12]
        self.assertEqual(parsed.values, expected)
        self.assertTrue(all(isinstance(value, (int, Decimal)) for value in parsed.values))
        self.assertEqual(line.hundredths(parsed.text), [int(value * 100) for value in expected])

    def test_a_bad_line_is_refused_with_what_and_where(self) -> None:
        head = "uSF1,NY,000,01,0000012,"
        self.assertEqual(self.refused(head + "1,,2"), "item 2 is empty")
        self.assertEqual(self.refused(head + "1,2,"), "item 3 is empty")
        self.assertEqual(self.refused(head + "1,1_0"), 'item 2 is not a number with at most two decimals: "1_0"')
        self.assertEqual(self.refused(head + "1.234"), 'item 1 is not a number with at most two decimals: "1.234"')
        self.assertEqual(self.refused(head + "+1"), 'item 1 is not a number with at most two decimals: "+1"')
        self.assertEqual(self.refused(head + "100000000"), 'item 1 is outside ±99,999,999.99: "100000000"')
        self.assertTrue(self.refused(head + "1,\xb2").startswith("item 2 is not ASCII"))
        self.assertEqual(self.refused(",NY,000,01,0000012,1"), 'FILEID is "", not 1 to 6 ASCII characters')
        self.assertEqual(self.refused("uSF1,NJ,000,01,0000012,1"), 'STUSAB is "NJ", not NY')
        self.assertEqual(self.refused("uSF1,NY,000,02,0000012,1"), 'CIFSN is "02", not 01')
        self.assertEqual(self.refused("uSF1,NY,000,01,12345678,1"), 'LOGRECNO is "12345678", not one to seven digits')
        self.assertEqual(self.refused("uSF1,NY"), 'CHARITER is "", not three digits')


class Headers(unittest.TestCase):
    def test_fields_are_where_the_layout_says(self) -> None:
        columns = dict(zip(geo.COLUMNS, geo.parse(archives.header(77))))
        self.assertEqual((columns["fileid"], columns["stusab"], columns["logrecno"]), ("uSF1", "NY", 77))
        self.assertEqual((columns["name"], columns["pop100"], columns["hu100"]), ("Cañon County", 294_565, 0))
        self.assertEqual((columns["intptlat"], columns["intptlon"]), ("+42600000", "-073970000"))
        self.assertEqual((columns["state"], columns["county"], columns["block"]), ("36", "001", ""))

    def test_a_bad_record_is_refused_with_what_and_where(self) -> None:
        def refused(at: int, text: str) -> str:
            record = archives.header(77)
            with self.assertRaises(geo.GeoError) as caught:
                geo.parse(record[: at - 1] + text + record[at - 1 + len(text) :])
            return str(caught.exception)

        self.assertEqual(refused(293, "12x"), 'POP100 (characters 293 to 301) is not a number: "12x294565"')
        self.assertEqual(refused(19, "00 0077"), 'LOGRECNO (characters 19 to 25) is not a number: "00 0077"')
        self.assertEqual(refused(19, "-000077"), 'LOGRECNO (characters 19 to 25) is not a number: "-000077"')
        self.assertEqual(refused(19, " " * 7), "LOGRECNO (characters 19 to 25) is blank")
        self.assertEqual(refused(1, " " * 6), "FILEID (characters 1 to 6) is blank")
        self.assertTrue(refused(201, "Ca\0on").startswith("NAME (characters 201 to 290) is not printable"))
        self.assertTrue(refused(7, "N\xd1").startswith("STUSAB (characters 7 to 8) is not printable ASCII"))
        with self.assertRaisesRegex(geo.GeoError, "399 characters, but a geographic record has 400"):
            geo.parse(archives.header(77)[:399])


class Folders(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def records(self, phase: str, wanted: Job) -> list[object]:
        data = files.scan(str(self.folder), True)
        return [record for batch in reader.batches(data, wanted, phase, 16, False) for record in batch]

    def test_names_are_read_in_either_case(self) -> None:
        self.assertEqual(names.of_archive("NY00039_UF1.ZIP"), names.SourceName("ny", 39))
        self.assertEqual(names.of_archive("ny00001.truncated.uf1.zip"), names.SourceName("ny", 1))
        self.assertEqual(names.of_member("NYGEO.UF1"), names.SourceName("ny", 0))
        for other in ("ny00040_uf1.zip", "ny00000_uf1.zip", "ny00001_uf2.zip", "ny00001.zip", "n100001_uf1.zip", ""):
            self.assertIsNone(names.of_archive(other), other)
        self.assertIsNone(names.of_member("dir/ny00001.uf1"))

    def test_a_folder_is_read_in_order_and_up_to_its_limits(self) -> None:
        archives.fill(self.folder, 40)
        lines = self.records("data", job(data=str(self.folder), limit_lines=50))
        self.assertEqual(len(lines), 50)
        self.assertEqual([one.segment for one in lines], [1] * 40 + [15] * 10)  # type: ignore[attr-defined]
        self.assertEqual([one.number for one in lines[:40]], list(range(1, 41)))  # type: ignore[attr-defined]
        self.assertEqual(len(self.records("geo", job(data=str(self.folder)))), 40)

    def test_what_is_missing_or_damaged_is_said_with_file_line_and_remedy(self) -> None:
        def refused() -> str:
            with self.assertRaises(Failure) as caught:
                self.records("data", job(data=str(self.folder)))
            self.assertEqual(caught.exception.exit, 4)
            return str(caught.exception).replace(str(self.folder), "DIR")

        self.assertTrue(refused().startswith("DIR: no Census file there: `make lab`"))
        segment = self.folder / "ny00001_uf1.zip"
        archives.write(segment, "ny00001.uf1", [archives.line(1, 1, ["1"]), archives.line(2, 1, ["x"])])
        self.assertTrue(refused().startswith("DIR/ny00001_uf1.zip: no geographic header nygeo_uf1.zip beside it"))
        archives.write(self.folder / "nygeo_uf1.zip", "nygeo.uf1", [archives.header(1)])
        self.assertTrue(refused().startswith("ny00001_uf1.zip: line 2: item 1 is not a number"))
        archives.write(segment, "ny00002.uf1", [])
        self.assertIn('holds "ny00002.uf1", expected ny00001.uf1', refused())
        archives.write(segment, "ny00001.uf1", [archives.line(n, 1, ["1"]) for n in range(500)])
        whole = segment.read_bytes()
        segment.write_bytes(whole[:200])
        self.assertIn("not a complete zip file", refused())
        damaged = bytearray(whole)
        damaged[300] ^= 0xFF
        segment.write_bytes(bytes(damaged))
        self.assertIn("its member is damaged", refused())


if __name__ == "__main__":
    unittest.main()
