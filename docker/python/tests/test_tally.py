"""The checksum is the contract's, however lines are split among workers."""

import unittest
from pathlib import Path

from peer import tally
from peer.census import geo
from tests import archives

CONTRACT = Path(__file__).parents[3] / "docs" / "peer-contract.md"
EXAMPLE = [(1, 1, 1897645700, 139797722), (1, 2, 0, 1798457779), (2, 1, 3550, 838379362), (7, 8113, -125, 1448763229)]


class Tally(unittest.TestCase):
    def test_the_worked_example_of_the_contract(self) -> None:
        for logrecno, item, hundredths, expected in EXAMPLE:
            self.assertEqual(tally.element(logrecno, item, hundredths), expected)
        self.assertEqual(sum(row for *_, row in EXAMPLE), 4225398092)
        if CONTRACT.exists():
            text = CONTRACT.read_text(encoding="utf-8")
            for logrecno, item, hundredths, expected in EXAMPLE:
                self.assertRegex(text, rf"\| {logrecno} \| {item} \| {hundredths} \| \d+ \| \d+ \| {expected} \|")

    def test_lines_are_tallied_as_their_elements(self) -> None:
        acks = tally.Acks(pending_most=7)
        keys = [10, 11, 12]
        expected = {key: [0, 0, 0] for key in keys}
        for logrecno in range(1, 600):
            values = [logrecno * 100, -125 if logrecno % 3 else 3550, 0]
            text = f"{logrecno},{'-1.25' if logrecno % 3 else '35.5'},0"
            acks.line(logrecno, keys, text)
            for key, value in zip(keys, values):
                expected[key][0] += 1
                expected[key][1] += value
                expected[key][2] += tally.element(logrecno, key, value)
        found = acks.acknowledged()
        self.assertEqual(found["lines"], 599)
        self.assertEqual([[one["rows"], one["sum"], one["mix"]] for one in found["items"]], list(expected.values()))
        self.assertEqual([one["item"] for one in found["items"]], keys)

    def test_accounts_add_up_the_same_however_they_are_split(self) -> None:
        whole, left, right = tally.Acks(), tally.Acks(), tally.Acks()
        for n in range(20):
            part = left if n % 3 else right
            for acks in (whole, part):
                acks.line(n, [5, 6], f"{n},0")
                acks.geo(archives.header(n))
        merged = tally.merge([left.acknowledged(), right.acknowledged()])
        self.assertEqual(merged, whole.acknowledged())
        self.assertLess(merged["geo_digest"], 1 << 63)

    def test_a_digest_is_of_all_columns(self) -> None:
        columns = geo.parse(archives.header(77))
        self.assertLess(tally.digest(columns), 1 << 60)
        self.assertEqual(len(columns), 24)
        self.assertNotEqual(tally.digest(columns), tally.digest(geo.parse(archives.header(78))))


if __name__ == "__main__":
    unittest.main()
