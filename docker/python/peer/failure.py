"""The table of exit codes, and the error that knows its own."""

from enum import IntEnum


class Exit(IntEnum):
    """How the program ends (docs/peer-contract.md, How it ends)."""

    OK = 0
    UNFORESEEN = 1
    USAGE = 2
    NOT_SUPPORTED = 3
    DATA = 4
    DATABASE = 5
    INTERRUPTED = 130


class Failure(Exception):
    """One sentence (what, where, what to do) and the exit code that follows."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit = int(exit_code)
        self.message = message


def not_supported(message: str) -> Failure:
    """This program does not do a combination."""
    return Failure(Exit.NOT_SUPPORTED, message)
