"""Workers that are tasks of one asyncio loop, in a thread of its own: the coordinator keeps the main thread."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, cast

from peer import errors
from peer.context import Context, Live
from peer.feed import LoopFeed
from peer.lookup import work as lookup
from peer.work_async import work

WORK: dict[str, Callable[..., Awaitable[Any]]] = {"census": work, "lookup": lookup.work_async}


def start(context: Context, loop_factory: Callable[[], asyncio.AbstractEventLoop], connect: Any) -> None:
    """Starts the loop's thread. `connect` gives a session, awaited."""

    def body() -> None:
        try:
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                runner.run(_all(context, connect))
        except Exception as error:
            context.tell("failed", errors.explain(error, context.job.dburl))

    threading.Thread(target=body, name="loop", daemon=True).start()


async def _all(context: Context, connect: Callable[[], Awaitable[Any]]) -> None:
    loop = asyncio.get_running_loop()
    for feed in context.feeds.values():
        cast(LoopFeed, feed).loop = loop
    held = loop.run_in_executor(None, context.hold.wait)
    await asyncio.gather(*[_worker(context, live, connect, held) for live in context.lives])


async def _worker(
    context: Context, live: Live, connect: Callable[[], Awaitable[Any]], held: "asyncio.Future[bool]"
) -> None:
    try:
        try:
            session = await connect()
        except Exception as error:
            raise errors.explain(error, context.job.dburl) from error
        context.tell("connected")
        acks = await WORK[context.job.workload](context, live, session, context.feeds)
        await held
        await session.close()
        context.tell("ended", acks, 0)
    except Exception as error:
        context.tell("failed", errors.explain(error, context.job.dburl))
