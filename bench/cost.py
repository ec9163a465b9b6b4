"""Run a command on some cores and print what it cost as JSON: wall and CPU in seconds, peak memory in MB.

    python bench/cost.py CORES COMMAND...

A process of its own, because the kernel counts the memory of whoever forked into the peak of a child. What a
command leaves to others (the processes of a fork server) is adopted and counted too: its memory is `adopted`.
"""

import ctypes
import json
import os
import resource
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    cores, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    start = time.perf_counter()
    process = subprocess.Popen(["taskset", "-c", cores, *command], stdout=subprocess.DEVNULL)
    adopted = 0
    own = status = None
    while own is None:
        pid, ended, usage = os.wait4(-1, 0)
        if pid == process.pid:
            own, status = usage, os.waitstatus_to_exitcode(ended)
        else:
            adopted = max(adopted, usage.ru_maxrss)
    wall = time.perf_counter() - start
    try:
        while True:
            adopted = max(adopted, os.wait4(-1, 0)[2].ru_maxrss)
    except ChildProcessError:
        pass
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "memory": own.ru_maxrss / 1024}
    print(json.dumps(told | {"adopted": adopted / 1024, "status": status}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
