"""`py-processes`: psycopg2, a process a connection.

    reader ─► one pipe, a lock at its end ─► children, each parses what it takes ─► PostgreSQL
                       └───────── words, accounts ─────────┘ a pipe each

Whoever is free takes the next message, a few records as they stand in the file: nobody hands out work. What the
children count stands in memory they share with the parent, so that a row costs no message.
"""

import marshal
import mmap
import threading
from multiprocessing import connection as pipes
from typing import Any, cast

from peer import errors, forked, usage
from peer.context import Context
from peer.drivers import psycopg2_session
from peer.failure import Exit, Failure
from peer.job import Job
from peer.rates import PhaseLog
from peer.reader import Raw, parse
from peer.schemes.pool import PipeFeed, SharedLive
from peer.work import work

FEED = PipeFeed
RAW = True
VERSIONS = ("psycopg2",)
check = psycopg2_session.check

_CONNECTING = 32
"""Children that connect at the same time: a storm of hundreds starves itself."""


class _Child:
    """What the parent knows of a child."""

    def __init__(self, process: Any, pipe: Any) -> None:
        self.process, self.pipe = process, pipe
        self.account: tuple[dict[str, Any], int] | None = None
        """What it had acknowledged, and its largest memory: its last words."""


_children: list[_Child] = []


def _message(job: Job, phase: str) -> int:
    """Records of a message: few enough that no child is left with many at the end, as many as make its price small
    against theirs."""
    if job.commit == "chunk":
        return job.chunk
    if phase == "geo":
        return 16
    return 1 if job.waits_a_line else 4


def prepare(context: Context) -> None:
    """Forks the children, which wait to be told to connect."""
    pool = context.job.pool
    shared = memoryview(mmap.mmap(-1, 8 * (2 * pool + 1))).cast("q")
    context.lives = [SharedLive(shared, number) for number in range(pool)]  # type: ignore[misc]
    for phase, feed in context.feeds.items():
        cast(PipeFeed, feed).message_of(_message(context.job, phase))
        cast(PipeFeed, feed).share(shared, pool)
    for number in range(pool):
        ours, theirs = forked.CONTEXT.Pipe()
        process = forked.start(f"worker {number}", _serve, context, number, theirs, [child.pipe for child in _children])
        theirs.close()
        _children.append(_Child(process, ours))


def start(context: Context) -> None:
    """Lets them connect, and listens to them in a thread; another tells them when all phases are over."""
    threading.Thread(target=_listen, args=(context,), name="listener", daemon=True).start()
    threading.Thread(target=_release, args=(context,), name="release", daemon=True).start()


def _release(context: Context) -> None:
    context.hold.wait()
    for child in _children:
        try:
            child.pipe.send_bytes(b"settle")
        except OSError:
            pass  # it has died, which the listener tells


def _listen(context: Context) -> None:
    left = list(_children)
    for child in left[:_CONNECTING]:
        child.pipe.send_bytes(b"connect")
    del left[:_CONNECTING]
    open_pipes: dict[Any, _Child] = {child.pipe: child for child in _children}
    try:
        while open_pipes:
            for pipe in pipes.wait(list(open_pipes)):
                child = open_pipes[pipe]
                try:
                    word, *rest = marshal.loads(child.pipe.recv_bytes())
                except (EOFError, OSError):
                    del open_pipes[pipe]
                    _gone(context, child)
                    continue
                if word == "connected" and left:
                    left.pop(0).pipe.send_bytes(b"connect")
                _tell(context, child, word, rest)
    except Exception as error:
        context.tell("failed", errors.explain(error, context.job.dburl))


def _gone(context: Context, child: _Child) -> None:
    """A child's pipe has closed: it has ended, with or without its last words."""
    child.process.join()  # its processor time is counted from now on
    if child.account is not None:
        context.tell("ended", *child.account)
        return
    code = child.process.exitcode
    how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
    context.tell(
        "failed",
        Failure(
            Exit.UNFORESEEN,
            f"a worker process died ({how}) without saying why: look at standard error and at the machine's memory",
        ),
    )


def _tell(context: Context, child: _Child, word: str, rest: list[Any]) -> None:
    if word == "phase-done":
        log = PhaseLog(context.origin)
        log.first_taken, log.last_done, log.buckets, cpu = rest
        context.tell("phase-done", log, usage.Cpu(*cpu))
    elif word == "failed":
        context.tell("failed", Failure(*rest))
    elif word == "account":
        child.account = (rest[0], rest[1])
    else:
        context.tell(word, *rest)


class _Source:
    """A phase's records, as a child takes them."""

    def __init__(self, feed: PipeFeed) -> None:
        self._feed = feed
        self._rest: list[Any] = []

    def take(self, most: int) -> list[Any] | None:
        """The next records, parsed; None when the phase is over. After a stop what is left is thrown away, until its
        end: whoever writes must not be left waiting."""
        stopped = self._feed.stopped
        if stopped():
            self._rest = []
        while not self._rest:
            records = self._feed.receive()
            if not records:
                return None
            if not stopped():
                self._rest = records
        taken, self._rest = self._rest[:most], self._rest[most:]
        return [parse(Raw(*record)) for record in taken]


class _Voice:
    """How a child speaks to its parent."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._before = usage.used()

    def __call__(self, word: str, *rest: Any) -> None:
        if word == "phase-done":
            now, log = usage.used(), rest[0]
            rest = (log.first_taken, log.last_done, log.buckets, tuple(now.since(self._before)))
            self._before = now
        self._pipe.send_bytes(marshal.dumps((word, *rest)))


def _serve(context: Context, number: int, pipe: Any, others: list[Any]) -> None:
    """A child's life."""
    for other in others:
        other.close()  # the parent's ends of earlier children's pipes, which fork copied
    try:
        pipe.recv_bytes()
        _work(context, number, pipe)
    except (EOFError, BrokenPipeError):
        pass  # the parent is gone, or has given up
    except Exception as error:
        failure = errors.explain(error, context.job.dburl)
        pipe.send_bytes(marshal.dumps(("failed", failure.exit, failure.message)))


def _work(context: Context, number: int, pipe: Any) -> None:
    feeds = cast(dict[str, PipeFeed], context.feeds)
    context.stopped = next(iter(feeds.values())).stopped  # type: ignore[method-assign]
    try:
        session = psycopg2_session.Session(context.job)
    except Exception as error:
        raise errors.explain(error, context.job.dburl) from error
    voice = _Voice(pipe)
    voice("connected")
    context.tell = voice  # type: ignore[method-assign]
    sources = {phase: _Source(feed) for phase, feed in feeds.items()}
    acks = work(context, context.lives[number], session, sources)
    pipe.recv_bytes()  # all phases are over: the arithmetic takes nothing from a child that still works
    session.close()
    voice("account", acks.acknowledged(), usage.peak_memory())
