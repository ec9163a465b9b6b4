"""Tasks on workers: processes of this machine, or a cluster's, behind the interface of Executor (PEP 3148).

A task is a function of its arguments and of files, and its result appears whole or not at all; so a worker
may die at any moment, and what it left undone is given to another.
"""

import logging
import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any

from kzmitm.errors import KzmitmError, UsageError
from kzmitm.ooni.archive.parts import scratch_in
from kzmitm.ooni.archive.planning import Task
from kzmitm.ooni.archive.work import extract
from kzmitm.wording import Wording

MAX_LOSSES = 2
"""How often workers may die at a task before it is taken for the fault of its files, not of the machine."""
AHEAD = 2
"""Tasks on their way for each worker."""
PATIENCE_S = 5
"""How long a scheduler may take to answer."""
WORKERS_S = 60
"""How long a scheduler may be without workers: those of a batch system take their time."""

Result = dict[str, Any]


class WorkersLostError(KzmitmError):
    """Workers died again and again; says at which file."""

    hint = Wording("is there memory enough? --jobs 1 needs the least; what was read is kept")


@dataclass(frozen=True, slots=True)
class Workers:
    """Who does the tasks: `opener` gives an executor, which may be opened again after it broke."""

    opener: Callable[[], AbstractContextManager[Executor]]
    count: Callable[[], int]
    """How many there are now."""
    lost: tuple[type[Exception], ...] = ()
    """What a task ends with that was on its way when they died."""


def processes(jobs: int) -> Workers:
    """Worker processes of this machine, started afresh so that none inherits anything."""
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload([extract.__module__])

    @contextmanager
    def opener() -> Iterator[Executor]:
        theirs, ours = context.Pipe(duplex=False)
        executor = ProcessPoolExecutor(jobs, context, initializer=_begin, initargs=(theirs,))
        try:
            yield executor
        except BaseException:
            ours.close()  # nobody waits for what they are doing
            raise
        finally:
            executor.shutdown(cancel_futures=True)
            ours.close()
            theirs.close()

    return Workers(opener, lambda: jobs)


def _begin(parent: Connection) -> None:
    """Of a worker: Ctrl-C is for the parent to hear; when its end of a pipe is closed, nothing is left to do.

    So workers do not outlive a parent that was killed either.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Connection) -> None:
    parent.poll(None)
    os._exit(1)


@contextmanager
def cluster(address: str) -> Iterator[Workers]:
    """Workers of a Dask scheduler. They run what they are sent: for machines that trust each other.

    They need this package, and the files and the folder of the extract under the same names as here.
    """
    client = _client(address)
    from distributed import KilledWorker  # noqa: PLC0415 (an optional extra, which is there)

    @contextmanager
    def opener() -> Iterator[Executor]:
        executor = client.get_executor(pure=False)
        try:
            yield executor
        finally:
            executor.shutdown(wait=False)

    def count() -> int:
        return sum(client.nthreads().values())

    with client:
        try:
            client.wait_for_workers(1, timeout=WORKERS_S)
        except TimeoutError:
            raise UsageError(
                "{address}: the scheduler has no workers", hint="start some: dask worker", address=address
            ) from None
        try:
            yield Workers(opener, count, (KilledWorker,))
        except CancelledError:
            raise WorkersLostError(
                "{address}: the scheduler has gone",
                hint="what was read is kept; a second run goes on",
                address=address,
            ) from None


def _client(address: str) -> Any:
    """The link to a scheduler; raises UsageError if none answers, or Dask is not there."""
    try:
        from distributed import Client  # noqa: PLC0415 (an optional extra)
    except ImportError:
        raise UsageError(
            "--scheduler needs the extra `dask`", hint="pip install 'kzmitm[archive,dask]'"
        ) from None
    try:
        client = Client(address, timeout=PATIENCE_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as exc:
        raise UsageError(
            "{address}: no scheduler answers: {why}",
            hint="as in --scheduler tcp://host:8786",
            address=address,
            why=exc,
        ) from None
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what is lost, we say
    return client


def run_all(tasks: Sequence[Task], folder: str, workers: Workers) -> Generator[Result, None, None]:
    """The summaries of all tasks, in the order in which they end.

    Tasks that were on their way when a worker died are done last and one by one, so that each answers for
    itself. Raises WorkersLostError if workers die more often than MAX_LOSSES at one of them.
    """
    left = {task.id: task for task in sorted(tasks, key=lambda each: (-each.size, each.id))}
    losses: Counter[str] = Counter()
    with scratch_in(folder) as scratch:
        while left:
            todo = [task for task in left.values() if not losses[task.id]]
            ahead = AHEAD if todo else 0
            todo = todo or sorted(left.values(), key=lambda each: losses[each.id])
            waiting: dict[Future[Result], Task] = {}
            try:
                with workers.opener() as executor:
                    submit = partial(_submit, executor, folder, scratch)
                    for task, future in _ended(todo, submit, workers.count, ahead, waiting):
                        try:
                            summary = future.result()
                        except workers.lost:
                            _blame([task], losses)
                            continue
                        del left[task.id]
                        yield summary
            except BrokenProcessPool:
                _blame(waiting.values(), losses)


def _submit(executor: Executor, folder: str, scratch: str, task: Task) -> Future[Result]:
    return executor.submit(extract, task, folder, scratch)


def _blame(tasks: Iterable[Task], losses: Counter[str]) -> None:
    for task in tasks:
        losses[task.id] += 1
        if losses[task.id] > MAX_LOSSES:
            more = (
                Wording(" and {count} more files", count=len(task.sources) - 1)
                if len(task.sources) > 1
                else ""
            )
            raise WorkersLostError(
                "workers died again and again at {shown}{more}", shown=task.sources[0].shown, more=more
            ) from None


def _ended(
    tasks: Iterable[Task],
    submit: Callable[[Task], Future[Result]],
    workers: Callable[[], int],
    ahead: int,
    waiting: dict[Future[Result], Task],
) -> Iterator[tuple[Task, Future[Result]]]:
    """Tasks that ended. `waiting` holds those on their way: `ahead` for each worker, to bound memory.

    A task that ended leaves `waiting` when the next is asked for.
    """
    todo = iter(tasks)
    while True:
        free = max(workers() * ahead, 1) - len(waiting)
        for task in islice(todo, max(free, 0)):
            waiting[submit(task)] = task
        if not waiting:
            return
        done, _ = wait(waiting, timeout=WORKERS_S, return_when=FIRST_COMPLETED)
        if not done and not workers():
            raise WorkersLostError("no workers are left", hint="start some; a second run goes on")
        for future in done:
            yield waiting[future], future
            del waiting[future]


def run_here(tasks: Sequence[Task], folder: str) -> Generator[Result, None, None]:
    """The same in this process."""
    with scratch_in(folder) as scratch:
        for task in tasks:
            yield extract(task, folder, scratch)
