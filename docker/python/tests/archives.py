"""Small SF1 archives for tests, in the Bureau's format."""

import random
import zipfile
from pathlib import Path

ITEMS = {1: 222, 15: 196}
"""Items of the segments that tests use."""


def header(logrecno: int, name: str = "Cañon County", state: str = "NY") -> str:
    """A geographic record: 400 characters."""
    record = [" "] * 400

    def put(at: int, text: str) -> None:
        record[at - 1 : at - 1 + len(text)] = text

    put(1, "uSF1")
    put(7, state)
    put(9, "050")
    put(12, "00")
    put(14, "000")
    put(19, f"{logrecno:07}")
    put(30, "36001")
    put(173, f"{1_356_000_000 + logrecno:14}")
    put(201, name)
    put(293, f"{294_565:9}")
    put(311, "+42600000")
    put(320, "-073970000")
    return "".join(record)


def line(logrecno: int, segment: int, values: list[str]) -> str:
    """A segment's line."""
    return ",".join(["uSF1", "NY", "000", f"{segment:02}", f"{logrecno:07}", *values])


def write(path: Path, member: str, lines: list[str]) -> None:
    """An archive of one member."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, "".join(f"{text}\n" for text in lines).encode("latin-1"))


def fill(directory: Path, lines: int, seed: int = 1) -> None:
    """A state with two segments; every tenth line of the second has fractions and negative values."""
    draw = random.Random(seed)
    write(directory / "nygeo_uf1.zip", "nygeo.uf1", [header(n, f"Place {n} ñ'") for n in range(1, lines + 1)])
    for segment, items in ITEMS.items():
        rows = []
        for n in range(1, lines + 1):
            values = [str(draw.choice((0, 0, 0, draw.randrange(99_999_999)))) for _ in range(items)]
            if segment == 15 and n % 10 == 0:
                values[3], values[5], values[7], values[9] = "35.5", "-1.25", "-7", "99999999.99"
            rows.append(line(n, segment, values))
        # In upper case, as some of the Bureau's are.
        write(directory / f"NY{segment:05}_UF1.ZIP", f"NY{segment:05}.UF1", rows)
