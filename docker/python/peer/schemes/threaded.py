"""Workers that are threads of the operating system, each with a blocking connection."""

import threading
from collections.abc import Callable
from typing import Any

from peer import errors
from peer.context import Context, Live
from peer.lookup import work as lookup
from peer.work import work

WORK: dict[str, Callable[..., Any]] = {"census": work, "lookup": lookup.work}


def start(context: Context, connect: Callable[[], Any]) -> None:
    """Starts a thread a worker."""
    for live in context.lives:
        arguments = (context, live, connect, context.hold.wait)
        threading.Thread(target=run, args=arguments, name="worker", daemon=True).start()


def run(context: Context, live: Live, connect: Callable[[], Any], hold: Callable[[], Any]) -> None:
    """One worker, from its connection to its account; `hold` comes back when all phases are over."""
    try:
        try:
            session = connect()
        except Exception as error:
            raise errors.explain(error, context.job.dburl) from error
        context.tell("connected")
        acks = WORK[context.job.workload](context, live, session, context.feeds)
        hold()
        session.close()
        context.tell("ended", acks, 0)
    except Exception as error:
        context.tell("failed", errors.explain(error, context.job.dburl))
