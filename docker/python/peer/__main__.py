"""The command line: `python -m peer run --job -`."""

import json
import sys

from peer import run
from peer.failure import Exit

_USAGE = "usage: python -m peer run --job -    (one job as JSON on standard input; docs/peer-contract.md)"


def main() -> None:
    """Does what the arguments say."""
    arguments = sys.argv[1:]
    if arguments in (["-h"], ["--help"]):
        print(_USAGE)
        return
    if arguments != ["run", "--job", "-"]:
        print(_USAGE, file=sys.stderr)
        sys.exit(int(Exit.USAGE))
    # The job ends with its line, or with the input: whoever sends it may keep the pipe open.
    run.leave(run.main(_job()))


def _job() -> str:
    """One JSON document: lines until they are one, or until there are no more."""
    text = ""
    for line in sys.stdin:
        text += line
        try:
            json.loads(text)
        except ValueError:
            continue
        break
    return text


if __name__ == "__main__":
    main()
