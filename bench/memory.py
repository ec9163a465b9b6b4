"""Memory of a scan by its number of targets: it must be flat.

    python bench/memory.py [--small 1000] [--large 100000]

The client scans names of an nginx farm of 2,000 hosts again and again; the peak of its resident memory is
compared.
"""

import argparse
import tempfile
from pathlib import Path

from farm import running_farm
from handshakes import Job, kzmitm

HOSTS = 2000


def main() -> None:
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--small", type=int, default=1000)
    parser.add_argument("--large", type=int, default=100_000)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="kzbench-") as name,
        running_farm(Path(name) / "farm", HOSTS) as farm,
    ):
        peaks = []
        for count in (arguments.small, arguments.large):
            job = Job(farm, "TLSv1.3", count, 200, Path(name))
            cost = kzmitm(job, farm.write_pairs("TLSv1.3", Path(name) / "pairs.txt", count), arguments.loop)
            peaks.append(cost.memory)
            each = f"{count / cost.wall:.0f}/s, {cost.cpu / count * 1e3:.3f} ms each"
            print(f"{count:>8} targets: {cost.memory:.1f} MB, {each}")
        print(f"ratio of memory: {peaks[1] / peaks[0]:.2f} (goal: at most 1.5)")


if __name__ == "__main__":
    main()
