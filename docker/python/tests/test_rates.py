"""Rates are the ingester's."""

import unittest

from peer.rates import PhaseLog, rates, steady


def busy(start: float, end: float) -> PhaseLog:
    """A worker busy from `start` to `end`, one row a bucket."""
    log = PhaseLog(0.0)
    log.first_taken, log.last_done = start, end
    log.buckets = [1.0 if bucket >= int(start * 10) else 0.0 for bucket in range(int(end * 10) + 1)]
    return log


class Rates(unittest.TestCase):
    def test_ramp_and_drain_are_left_out_of_the_steady_rate(self) -> None:
        found = steady([busy(0.1, 5.0), busy(0.95, 3.02)], 0.0, 0.0)
        assert found is not None
        self.assertAlmostEqual(found["from"], 1.0)
        self.assertAlmostEqual(found["to"], 3.0)
        self.assertAlmostEqual(found["rate"], 20.0)

    def test_rows_of_long_transactions_count_while_they_were_worked_on(self) -> None:
        logs = []
        for behind in (0.0, 0.5):
            log = PhaseLog(0.0)
            log.first_taken = behind
            for second in range(1, 7):
                log.rows(behind + second, 1000)
            logs.append(log)
        found = steady(logs, 0.0, 0.0)
        assert found is not None
        self.assertAlmostEqual(found["rate"], 2000.0, delta=1)
        self.assertAlmostEqual(found["to"], 6.0)

    def test_there_is_none_when_a_worker_had_nothing_to_do_or_time_was_short(self) -> None:
        self.assertIsNone(steady([busy(0.0, 5.0), PhaseLog(0.0)], 0.0, 0.0))
        self.assertIsNone(steady([busy(0.0, 0.45)], 0.0, 0.0))
        self.assertIsNone(steady([busy(0.0, 2.0), busy(3.0, 5.0)], 0.0, 0.0))
        self.assertIsNone(steady([], 0.0, 0.0))

    def test_a_part_that_was_short_has_no_rate(self) -> None:
        self.assertEqual(
            rates(1000, 2.0, (0.1, 10), None),
            {"whole": 500.0, "while_filling": None, "after": 990 / 1.9, "steady": None},
        )
        self.assertEqual(
            rates(1000, 2.0, None, None), {"whole": 500.0, "while_filling": 500.0, "after": None, "steady": None}
        )
        self.assertEqual(rates(0, 2.0, (1.0, 0), None)["whole"], None)


if __name__ == "__main__":
    unittest.main()
