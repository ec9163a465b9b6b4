"""SQL in a process of its own: a database takes 50 MB, which whoever judges would have to bear as well."""

import os
import pickle
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any, Final

from kzmitm.errors import KzmitmError
from kzmitm.wording import Wording

SQL = Callable[..., Any]
"""Does a task by its name, with its arguments, and returns its result."""
_ANSWER_FD: Final = 1


class DatabaseLostError(KzmitmError):
    """The process of a database died."""

    hint = Wording("is there memory enough? --jobs 1 needs the least; what was read is kept")


def here(task: str, *given: Any) -> Any:
    """In this very process: `index` writes an index, `tables` the tables over verdicts."""
    if task == "index":
        from kzmitm.ooni.archive.indexing import write_index  # noqa: PLC0415 (loads a database)

        return write_index(*given)
    from kzmitm.ooni.archive.findings import write_tables  # noqa: PLC0415

    return write_tables(*given)


def apart(task: str, *given: Any) -> Any:
    """In a process of its own, where the system can start one; raises what is raised there."""
    if not sys.executable or not hasattr(os, "posix_spawn"):
        return here(task, *given)
    ours_in, theirs_out = os.pipe()
    theirs_in, ours_out = os.pipe()
    ends = [(os.POSIX_SPAWN_DUP2, theirs_in, 0), (os.POSIX_SPAWN_DUP2, theirs_out, _ANSWER_FD)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", __name__]
    try:
        # In a group of its own: Ctrl-C is for the parent to hear.
        pid = os.posix_spawn(sys.executable, command, environment, file_actions=ends, setpgroup=0)
    finally:
        os.close(theirs_in)
        os.close(theirs_out)
    is_over = False
    # The pipe stays open while we live: when it is closed, nothing is left to do there.
    with open(ours_in, "rb") as answers, open(ours_out, "wb", buffering=0) as requests:  # noqa: PTH123 (descriptors)
        try:
            with suppress(BrokenPipeError):  # it died already, and answers nothing
                requests.write(pickle.dumps((task, given)))
            answer = answers.read()
            is_over = True
        finally:
            if not is_over:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    if not answer:
        raise DatabaseLostError("the process of the database died")
    is_done, result = pickle.loads(answer)  # noqa: S301 (a process of ours)
    if not is_done:
        raise result
    return result


def _end_with_parent() -> None:
    sys.stdin.buffer.read(1)
    os._exit(1)


def _serve() -> None:
    """Do one task, and answer with its result or with what was raised."""
    from kzmitm.ooni.archive.complaints import told_plainly  # noqa: PLC0415

    task, given = pickle.load(sys.stdin.buffer)  # noqa: S301 (our parent)
    Thread(target=_end_with_parent, daemon=True).start()
    try:
        with told_plainly():
            answer = True, here(task, *given)
    except KeyboardInterrupt:
        os._exit(1)  # the parent was interrupted as well
    except Exception as exc:  # noqa: BLE001 (raised again by the parent)
        answer = False, exc
    with open(_ANSWER_FD, "wb") as file:  # noqa: PTH123 (a descriptor)
        file.write(_pickled(answer))
    os._exit(0)


def _pickled(answer: tuple[bool, Any]) -> bytes:
    try:
        pickle.loads(octets := pickle.dumps(answer))  # noqa: S301 (what we wrote)
    except Exception:  # noqa: BLE001 (exceptions of libraries may be of any form)
        return pickle.dumps((False, RuntimeError(f"{type(answer[1]).__name__}: {answer[1]}")))
    return octets


if __name__ == "__main__":
    _serve()
