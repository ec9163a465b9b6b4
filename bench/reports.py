"""Reports of many measurements: the whole command from the folder to the file, and whether it takes 10 s.

    python bench/reports.py [--measurements 100000] [--rounds 5] [--core 1]

Two folders are made: a campaign (its log, as a campaign writes it) and an archive (the analysed corpus of
`corpus.py --published-2024`, multiplied until it has as many measurements, its tables made anew). Each format
is made of each on one core, rounds interleaved; medians of wall and CPU time, start-up included.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

import duckdb  # noqa: E402

from kzmitm.campaign.share_store import Result  # noqa: E402
from kzmitm.campaign.state import Versions  # noqa: E402
from kzmitm.cli.campaign.opening import folder_of, open_octets  # noqa: E402
from kzmitm.cli.sources import registry_of  # noqa: E402
from kzmitm.ooni.archive import findings  # noqa: E402

GOAL_S = 10.0
DOMAINS = 2000
ASNS = (9198, 21299, 29355, 206026, 48503, 39824, 43994, 50482, 41798, 15736)
START = 1_700_000_000
WEEK = 7 * 86400
MULTIPLY = """
COPY (
  SELECT * EXCLUDE (copy) REPLACE (uid || '-' || copy AS uid, time + to_hours(copy) AS time) FROM {name},
         (SELECT unnest(range(ceil({measurements} / (SELECT count(*) FROM measurements))::BIGINT)) AS copy)
) TO '{path}' (FORMAT parquet, COMPRESSION zstd)
"""


def campaign(folder: Path, measurements: int) -> None:
    """A campaign of ten networks whose log has so many results: 2 % intercepted, 15 % blocked."""
    rounds = max(1, measurements // (DOMAINS * len(ASNS)))
    names = [f"site-{number}.example.kz" for number in range(DOMAINS)]
    vantages = "".join(f'[[vantages]]\nname = "v{asn}"\nasn = "AS{asn}"\ncc = "KZ"\n' for asn in ASNS)
    text = (
        '[campaign]\nname = "bench"\ncontact = "nobody@example.org"\n[targets]\n'
        f"names = {json.dumps(names)}\n[controls]\nevery = 0\n[rounds]\ncount = {rounds}\n{vantages}"
    )
    opened = open_octets(text.encode(), folder, "bench", registry_of([]))
    made = folder_of(opened, folder)
    made.begin(text.encode(), Versions("1", "bench", "bench", "bench"))
    rng = random.Random(1)
    for number in range(1, rounds + 1):
        for share in opened.plan.shares(number):
            with made.store(share) as store:
                for target in range(DOMAINS):
                    store.add(result(rng, target, START + number * WEEK), b"{}")
                store.flush()


def result(rng: random.Random, target: int, at: float) -> Result:
    dice = rng.random()
    if dice < 0.02 and target < 200:
        leaf = f"{target:064x}"
        return Result(target, "done", "interception", "confirmed", "kz-isca", leaf, at + rng.random() * 86400)
    outcome = "blocked" if dice < 0.15 else "inconclusive" if dice < 0.2 else "clean"
    return Result(target, "done", outcome, at=at + rng.random() * 86400)


def archive(folder: Path, measurements: int, scratch: Path) -> Path:
    """An analysed archive of so many measurements; the overlay that it was judged by."""
    corpus = scratch / "corpus"
    command([str(HERE / "corpus.py"), str(corpus), "--published-2024"])
    judged = ["--store", str(corpus / "store.pem"), "--fingerprints", str(corpus / "registry")]
    command(["-m", "kzmitm", "ooni", "analyze", str(corpus / "raw"), "--out", str(folder), *judged])
    with duckdb.connect(":memory:") as connection:
        for name in ("measurements", "handshakes"):
            path = folder / "verdicts" / f"{name}.parquet"
            connection.execute(f"CREATE TABLE {name} AS FROM read_parquet('{path}')")
            connection.execute(MULTIPLY.format(name=name, measurements=measurements, path=path))
    shutil.rmtree(folder / "tables")
    findings._write_tables(folder, 1)  # noqa: SLF001 (what an analysis does last)
    return corpus / "registry"


def command(words: list[str]) -> None:
    done = subprocess.run([sys.executable, *words], capture_output=True, env=environment(), check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"bench: {words} failed:\n{done.stderr.decode()}")


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def cost(words: list[str], core: int) -> Mapping[str, float]:
    run = [sys.executable, str(HERE / "cost.py"), str(core), sys.executable, "-m", "kzmitm", *words]
    done = subprocess.run(run, capture_output=True, check=True, env=environment())
    seen: dict[str, float] = json.loads(done.stdout)
    if seen["status"] not in (0, 1):
        raise SystemExit(f"bench: {words} failed:\n{done.stderr.decode()}")
    return seen


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--measurements", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--core", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kzmitm-") as name:
        scratch = Path(name)
        campaign(scratch / "campaign", args.measurements)
        overlay = archive(scratch / "archive", args.measurements, scratch)
        todo = {
            f"{what}, {form}": [
                "report",
                str(scratch / what),
                "--format",
                form,
                "--out",
                str(scratch / "page"),
                *more,
            ]
            for what, more in (("campaign", []), ("archive", ["--fingerprints", str(overlay)]))
            for form in ("html", "md", "csv", "pdf")
        }
        seen: dict[str, list[Mapping[str, float]]] = {each: [] for each in todo}
        for _ in range(args.rounds):
            for each, words in todo.items():
                seen[each].append(cost(words, args.core))
        return tell(seen, args.measurements)


def tell(seen: Mapping[str, list[Mapping[str, float]]], measurements: int) -> int:
    print(f"{measurements} measurements, one core; goal: below {GOAL_S:g} s of wall time")
    print(f"  {'':<18}{'wall s':>8}{'CPU s':>8}{'peak MB':>9}{'noise wall/CPU':>18}")
    missed = 0
    for name, costs in seen.items():
        middle = {key: statistics.median(each[key] for each in costs) for key in ("wall", "cpu", "memory")}
        noise = [
            (max(each[key] for each in costs) - min(each[key] for each in costs)) / middle[key]
            for key in ("wall", "cpu")
        ]
        is_missed = middle["wall"] > GOAL_S
        missed += is_missed
        print(
            f"  {name:<18}{middle['wall']:>8.2f}{middle['cpu']:>8.2f}{middle['memory']:>9.0f}"
            f"{f'{noise[0]:.0%} / {noise[1]:.0%}':>18}{'   MISSED' if is_missed else ''}"
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
