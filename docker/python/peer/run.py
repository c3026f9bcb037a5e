"""One run from the job to its exit code.

    reader thread ─► bounded queue ─► workers (scheme) ─► PostgreSQL
           └── messages ──► coordinator ◄── messages ──┘
"""

import gc
import os
import platform
import sys
import time
from importlib import metadata
from types import ModuleType
from typing import Any

from peer import SCHEMA, VERSION, forked, preflight, schemes, signals, usage
from peer import job as jobs
from peer.answer import Answer
from peer.census import files
from peer.context import Context, Live
from peer.coordinator import Run
from peer.failure import Exit, Failure
from peer.job import Job
from peer.lookup.keys import KeyReader
from peer.reader import ProcessReader, Reader


def main(text: str) -> int:
    """Runs the job in `text`; the exit code."""
    signals.block()
    answer = Answer(time.monotonic())
    try:
        job = jobs.parse(text)
        scheme = schemes.find(job.scheme, job.workload)
        program = _program(job, scheme)
        answer.event("started", program=program)
        scheme.check(job)
        result = _run(job, scheme, program, answer)
    except Failure as failure:
        return _failed(answer, failure)
    except Exception as error:
        sys.excepthook(*sys.exc_info())
        return _failed(answer, Failure(Exit.UNFORESEEN, f"{type(error).__name__}: {error}: this is a bug"))
    signals.nothing_more_to_say()
    answer.event("finished", result=result)
    return Exit.INTERRUPTED if result["interrupted"] else Exit.OK


def _failed(answer: Answer, failure: Failure) -> int:
    signals.nothing_more_to_say()
    print(f"error: {failure.message}", file=sys.stderr, flush=True)
    answer.event("failed", error=failure.message, code=failure.exit)
    return failure.exit


def _program(job: Job, scheme: ModuleType) -> str:
    parts = [f"Python {platform.python_version()}"]
    for name in scheme.VERSIONS:
        try:
            parts.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            parts.append(name)  # installed by other means than pip
    return f"{job.scheme} {VERSION} ({', '.join(parts)})"


def _run(job: Job, scheme: ModuleType, program: str, answer: Answer) -> dict[str, Any]:
    began = time.time()
    usage.raise_open_files()
    cpu_before = usage.used()
    context = Context(job)
    context.lives = [Live() for _ in range(job.pool)]
    context.make_feeds(scheme.FEED)
    # What is there now stays; what a row leaves behind is freed by its count of references, so that looking for
    # cycles ten times a second would find nothing, and would have processes copy the pages they share.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    # Whatever is a process is forked here, before there are threads.
    reader = _reader(context, scheme)
    scheme.prepare(context)
    run = Run(context, scheme, reader, answer)
    signals.watch(run.interrupt, forked.kill_all)
    preflight.check(job)
    run.connect()
    phases = run.phases()
    acknowledged, child_memory = run.end()
    reader.end()
    lost = {"lost": run.lost} if run.lost else {}
    return {
        "schema": SCHEMA,
        "program": program,
        "job": job.public(),
        "began": began,
        "phases": phases,
        "acknowledged": acknowledged,
        "verification": None,
        "cpu": usage.used().since(cpu_before).json(),
        "peak_memory": usage.peak_memory() + child_memory,
        "interrupted": "signal" if run.interrupted else None,
        # Of several processes each has a lock of its own.
        "interpreter_lock": _has_lock() and not scheme.RAW and job.reader != "process",
        **lost,
    }


def _reader(context: Context, scheme: ModuleType) -> Reader:
    job = context.job
    if job.workload == "lookup":
        return KeyReader(context)
    data = files.scan(job.data, "data" in job.phases)
    return (ProcessReader if job.reader == "process" else Reader)(data, job, scheme.RAW)


def _has_lock() -> bool:
    """Whether threads of this interpreter run one at a time; since 3.13 there are interpreters without the lock."""
    is_enabled = getattr(sys, "_is_gil_enabled", None)
    return True if is_enabled is None else bool(is_enabled())


def leave(code: int) -> None:
    """Ends the program without waiting for threads: after a failure one may hang on a connection that is dead."""
    forked.kill_all()
    sys.stderr.flush()
    os._exit(code)
