"""The second pass takes as much memory for an archive as for one ten times as large."""

import subprocess
import sys

import pytest
from judged_corpora import ROOT, rows

from kzmitm.ooni.archive.parts import EXTRACT, Part
from kzmitm.ooni.archive.rows import HandshakeRow, MeasurementRow

SMALL, LARGE = 4_000, 40_000
GROWTH, MOST = 30, 150
"""MB: of what may be more for ten times as many rows, and of any process."""
MEASURE = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""


def write_archive(folder, count, per_part=10_000):
    """Measurements with two handshakes each, a tenth of them cut off, in parts as tasks make them."""
    for begin in range(0, count, per_part):
        with Part(folder / EXTRACT, f"part-{begin:08}") as part:
            for doc in range(min(per_part, count - begin)):
                number = begin + doc
                failure = "connection_reset" if number % 10 == 0 else ""
                host = f"host-{number % 700}.example"
                common = {"time": f"2023-05-{number % 28 + 1:02} 10:00:00", "asn": 9198 + number % 50}
                part.measurement(
                    MeasurementRow(doc=doc, uid=f"uid-{number:020}", digest=number, source=f"{begin}.gz",
                                   line=doc, cc="KZ", host=host, handshakes=2, **common)
                )  # fmt: skip
                for n in range(2):
                    part.handshake(
                        HandshakeRow(doc=doc, n=n, host=host, name=host, ip=f"192.0.2.{number % 250}",
                                     failure=failure, control="ok" if failure else "", **common)
                    )  # fmt: skip
            part.commit(sources=[])


def peak(*words):
    """MB of the largest process of a command."""
    command = [sys.executable, "-c", MEASURE, sys.executable, "-m", "kzmitm", "ooni", "analyze", *words]
    done = subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    code, megabytes = map(int, done.stdout.split())
    assert code == 0, done.stderr
    return megabytes


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux tells it")
def test_memory_does_not_grow_with_the_archive(tmp_path):
    seen = {}
    for count in (SMALL, LARGE):
        out = tmp_path / str(count)
        write_archive(out, count)
        first = peak("--out", out, "--jobs", "1")
        again = peak("--out", out, "--jobs", "1", "--cc", "KZ")
        stands = peak("--out", out, "--jobs", "1", "--cc", "KZ")
        seen[count] = first, again, stands
        assert len(rows(out)) == count
    assert max(*seen[SMALL], *seen[LARGE]) < MOST
    assert all(large - small < GROWTH for small, large in zip(seen[SMALL], seen[LARGE], strict=True)), seen
