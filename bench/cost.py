"""Run a command on one core and print what it cost as JSON: wall and CPU in seconds, peak memory in MB.

    python bench/cost.py CORE COMMAND...

A process of its own, because the kernel counts the memory of whoever forked into the peak of a child.
"""

import json
import resource
import subprocess
import sys
import time


def main() -> int:
    core, *command = sys.argv[1:]
    start = time.perf_counter()
    status = subprocess.run(
        ["taskset", "-c", core, *command], stdout=subprocess.DEVNULL, check=False
    ).returncode
    wall = time.perf_counter() - start
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = usage.ru_utime + usage.ru_stime
    print(json.dumps({"wall": wall, "cpu": cpu, "memory": usage.ru_maxrss / 1024, "status": status}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
