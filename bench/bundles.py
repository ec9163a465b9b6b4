"""Bundles: what writing one costs a scan, and how fast one is verified or refused.

    python bench/bundles.py [--rounds 5] [--targets 2000]

The scans go to an nginx farm on loopback. Writing is told as the share of the CPU of the same scan with
`--no-save`. Verifying is compared with the hand check (unzip, sha256sum, ssh-keygen) of the same bundle,
which looks at less: it parses no document and checks no proof.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from farm import Farm, running_farm

KZMITM = (sys.executable, "-m", "kzmitm")
BY_HAND = """
set -e
cd "$(mktemp -d -p "$2")"
unzip -q "$1"
cd bundle-*
sha256sum --quiet -c tagmanifest-sha256.txt manifest-sha256.txt
ssh-keygen -q -Y check-novalidate -n kzmitm-bundle@v1 -s tagmanifest-sha256.txt.sig < tagmanifest-sha256.txt
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--targets", type=int, default=2000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kzbench-") as name:
        folder = Path(name)
        os.environ["KZMITM_HOME"] = str(folder / "home")
        with running_farm(folder / "farm", args.targets) as farm:
            writing(farm, folder, args.targets, args.rounds, [])
            writing(farm, folder, 100, args.rounds, ["--rate", "20"])
            suspicious = folder / "forty.zip"
            # Roots of somebody else: every site is suspected, so each is asked again and again.
            scan(
                farm,
                folder,
                40,
                ["--out", str(suspicious)],
                store=Path("fingerprints/truststore/mozilla.pem"),
            )
        verifying(suspicious, folder, args.rounds)
        refusing(suspicious, folder, args.rounds)


def writing(farm: Farm, folder: Path, count: int, rounds: int, pace: list[str]) -> None:
    """The share of a scan's time that its bundle takes, at a pace, or as fast as it goes."""
    costs: dict[str, list[tuple[float, float]]] = {"--no-save": [], "saved": []}
    size = 0.0
    for number in range(rounds):
        out = folder / f"round-{number}.zip"
        for label, words in (("--no-save", ["--no-save"]), ("saved", ["--out", str(out)])):
            costs[label].append(scan(farm, folder, count, [*words, *pace], store=farm.roots))
        size = out.stat().st_size / count
        out.unlink()
    cpu = {label: statistics.median(each[1] for each in found) for label, found in costs.items()}
    wall = {label: statistics.median(each[0] for each in found) for label, found in costs.items()}
    share = (cpu["saved"] - cpu["--no-save"]) / cpu["--no-save"]
    noise = spread([each[1] for each in costs["--no-save"]])
    print(
        f"writing, {count} targets{' '.join(['', *pace])}: {share:+.1%} of the scan's CPU "
        f"({cpu['--no-save']:.2f} s without, noise {noise:.0%}), "
        f"wall {wall['saved'] / wall['--no-save']:.2f} times, {size:.0f} octets a target"
    )


def scan(farm: Farm, folder: Path, count: int, words: list[str], *, store: Path) -> tuple[float, float]:
    """(wall, CPU) seconds of a scan of the farm's names."""
    names = folder / "names.txt"
    names.write_text("".join(f"{name}\n" for name in farm.names[:count]))
    command = [
        *KZMITM, "scan", "--i-understand", "--list", str(names), "--doh", "none", "--store", str(store),
        "--connect-to", f":443:{farm.address}:{farm.ports['TLSv1.3']}", "--concurrency", "100", *words,
    ]  # fmt: skip
    wall, cpu, _memory, code = cost(command)
    assert code in {0, 1, 3}, code
    return wall, cpu


def verifying(bundle: Path, folder: Path, rounds: int) -> None:
    """How long the whole command takes on a bundle of 40 targets, beside the check by hand."""
    ours, hand = [], []
    for _ in range(rounds):
        ours.append(cost([*KZMITM, "verify", str(bundle)]))
        hand.append(cost(["bash", "-c", BY_HAND, "by-hand", str(bundle), str(folder)]))
    assert {each[3] for each in ours} == {0}, ours
    assert {each[3] for each in hand} == {0}, hand
    mine, theirs = (statistics.median(each[0] for each in found) for found in (ours, hand))
    print(
        f"verifying 40 targets, {bundle.stat().st_size / 1e6:.1f} MB: {mine * 1e3:.0f} ms "
        f"(noise {spread([each[0] for each in ours]):.0%}), {ours[0][2]:.0f} MB; "
        f"by hand {theirs * 1e3:.0f} ms: {mine / theirs:.1f} times"
    )


def refusing(bundle: Path, folder: Path, rounds: int) -> None:
    """How long each kind of refusal takes, as a whole command."""
    good = bundle.read_bytes()
    path = folder / "bad.zip"
    for label, alter in REFUSED.items():
        path.write_bytes(alter(good))
        found = [cost([*KZMITM, "verify", str(path)]) for _ in range(rounds)]
        assert {each[3] for each in found} == {1}, (label, found)
        wall = statistics.median(each[0] for each in found)
        print(f"refusing, {label}: {wall * 1e3:.0f} ms, {max(each[2] for each in found):.0f} MB")


def flipped(octets: bytes) -> bytes:
    half = len(octets) // 2
    return octets[:half] + bytes([octets[half] ^ 1]) + octets[half + 1 :]


REFUSED: dict[str, Callable[[bytes], bytes]] = {
    "one bit": flipped,
    "cut in half": lambda octets: octets[: len(octets) // 2],
    "an octet more": lambda octets: octets + b"\0",
    "a program before it": lambda octets: b"MZ" + octets,
    "100 MB of zeros": lambda _octets: bytes(100 << 20),
}


def cost(command: list[str]) -> tuple[float, float, float, int]:
    """(wall s, CPU s, peak MB, exit code) of a command."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return (
        time.perf_counter() - began,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1024,
        process.returncode,
    )


def spread(values: list[float]) -> float:
    return (max(values) - min(values)) / statistics.median(values)


if __name__ == "__main__":
    main()
