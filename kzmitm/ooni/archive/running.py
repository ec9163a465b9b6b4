"""Tasks on workers: processes of this machine, or a cluster's, behind the interface of Executor (PEP 3148).

A task is a function of its arguments and of files, and its result appears whole or not at all; so a worker
may die at any moment, and what it left undone is given to another.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from kzmitm.errors import KzmitmError
from kzmitm.ooni.archive.planning import Task
from kzmitm.ooni.archive.work import extract

MAX_LOSSES = 5
"""How often workers may die before it is taken for the fault of a file and not of the machine."""
AHEAD = 2
"""Tasks waiting for each worker."""

Opener = Callable[[], Executor]


class WorkersLostError(KzmitmError):
    """Workers died again and again; says at which file."""

    hint = "is there memory enough? --jobs 1 needs the least"


def processes(jobs: int) -> Opener:
    """Worker processes of this machine, started afresh so that none inherits anything."""
    context = multiprocessing.get_context("forkserver")
    return lambda: ProcessPoolExecutor(max_workers=jobs, mp_context=context)


@contextmanager
def cluster(address: str) -> Iterator[Opener]:
    """Workers of a Dask scheduler. They run what they are sent: for machines that trust each other."""
    try:
        from distributed import Client  # noqa: PLC0415 (an optional extra)
    except ImportError:
        raise KzmitmError(
            "--scheduler needs the extra `dask`", hint="pip install 'kzmitm[archive,dask]'"
        ) from None
    try:
        client = Client(address, timeout=10, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as exc:
        raise KzmitmError(
            f"{address}: no scheduler answers: {exc}", hint="as in --scheduler tcp://host:8786"
        ) from None
    with client:
        yield lambda: client.get_executor(pure=False, retries=MAX_LOSSES)  # type: ignore[no-untyped-call]


def run_all(tasks: Sequence[Task], folder: str, opener: Opener, *, width: int) -> Iterator[dict[str, Any]]:
    """The summaries of all tasks, in the order in which they end; `width` is how many run at once.

    Raises WorkersLostError if workers die more often than MAX_LOSSES.
    """
    left = {task.id: task for task in sorted(tasks, key=lambda each: (-each.size, each.id))}
    losses = 0
    while left:
        try:
            with opener() as executor:
                for done, summary in _round(list(left.values()), folder, executor, width):
                    del left[done.id]
                    yield summary
        except BrokenProcessPool:
            losses += 1
            if losses > MAX_LOSSES:
                names = next(iter(left.values())).sources[0].shown
                raise WorkersLostError(f"workers died {losses} times, the last at {names} or near") from None


def _round(
    tasks: list[Task], folder: str, executor: Executor, width: int
) -> Iterator[tuple[Task, dict[str, Any]]]:
    """Results until all are there; no more waiting than keeps the workers busy, so that memory is bounded."""
    waiting: dict[Future[dict[str, Any]], Task] = {}
    todo = iter(tasks)
    try:
        while True:
            while len(waiting) < width * AHEAD and (task := next(todo, None)) is not None:
                waiting[executor.submit(extract, task, folder)] = task
            if not waiting:
                return
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                yield waiting.pop(future), future.result()
    finally:
        for future in waiting:
            future.cancel()


def run_here(tasks: Sequence[Task], folder: str) -> Iterator[dict[str, Any]]:
    """The same in this process."""
    for task in tasks:
        yield extract(task, folder)
