"""An archive analysed: kzmitm against igzip, oonidata, DuckDB and chDB, in one run, and how right it is.

    python bench/archive.py [--megabytes 200 | --corpus DIR] [--rounds 3] [--core 1]

Everything runs on one core but `two processes`, which has that core and another. The rounds are interleaved
and medians of CPU time are compared, start-up included, so that a machine with other work on it disturbs
little; of two processes the wall time says more, on an idle machine only. Writes to a temporary folder alone.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import duckdb
from corpus import plans, write_corpus

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PEERS = HERE / "peers"
ATTRIBUTED = ("certificate", "key", "signature", "family")
MEMORY_GOAL = 80


@dataclass(frozen=True)
class Cost:
    """Of one run: seconds of wall and of CPU, and MB at the peak of the command and of its workers."""

    wall: float
    cpu: float
    memory: float
    adopted: float = 0.0


@dataclass(frozen=True)
class Step:
    """A command, on which cores, and what is done to the folder before it."""

    command: list[str]
    cores: str
    prepare: Callable[[], None] = lambda: None


def run(step: Step) -> Cost:
    step.prepare()
    cost = [sys.executable, str(HERE / "cost.py"), step.cores]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*cost, *step.command], capture_output=True, check=True, env=environment)
    seen = json.loads(done.stdout)
    if seen.pop("status") not in (0, 1):  # 1: interception was found
        raise SystemExit(f"bench: {step.command} failed:\n{done.stderr.decode()}")
    return Cost(**seen)


def steps(corpus: Path, folder: Path, core: int, other: int) -> dict[str, Step]:
    raw, out, one, two = str(corpus / "raw"), folder / "out", str(core), f"{core},{other}"
    judged = ["--store", str(corpus / "store.pem"), "--fingerprints", str(corpus / "registry")]
    analyze = [sys.executable, "-m", "kzmitm", "ooni", "analyze", "--out", str(out)]

    def afresh() -> None:
        shutil.rmtree(out, ignore_errors=True)

    def by_another_registry() -> None:
        """The one that we ship, which knows nobody of the corpus by certificate."""
        run(Step([*analyze, *judged[:2], "--jobs", "1"], one))

    def peer(python: str, script: str, *words: str) -> list[str]:
        return [python, str(PEERS / script), raw, *words]

    files = [str(path) for path in sorted((corpus / "raw").rglob("*.gz"))]
    wanted = {
        "igzip -dc": Step(["igzip", "-dc", *files], one),
        "decode and match": Step(peer(sys.executable, "match_only.py"), one),
        "first pass": Step([*analyze, raw, "--extract-only", "--jobs", "1"], one, afresh),
        "two processes": Step([*analyze, raw, "--extract-only", "--jobs", "2"], two, afresh),
        "whole analysis": Step([*analyze, raw, *judged, "--jobs", "1"], one, afresh),
        "judging again": Step([*analyze, *judged, "--jobs", "1"], one, by_another_registry),
        "judging the same": Step([*analyze, *judged, "--jobs", "1"], one),
        "oonidata": Step(peer(str(ROOT / ".venv-oonidata/bin/python"), "read_oonidata.py"), one),
        "DuckDB, JSON path": Step(peer(sys.executable, "read_duckdb.py", "path"), one),
        "DuckDB, read_json": Step(peer(sys.executable, "read_duckdb.py", "typed"), one),
        "chDB": Step(peer(str(ROOT / ".venv-archive-bench/bin/python"), "read_chdb.py"), one),
    }
    return {name: step for name, step in wanted.items() if _is_there(name, step)}


def _is_there(name: str, step: Step) -> bool:
    if shutil.which(step.command[0]):
        return True
    print(f"bench: {step.command[0]} is missing, so {name} is left out (make bench-archive)", file=sys.stderr)
    return False


def measure(todo: Mapping[str, Step], rounds: int) -> dict[str, list[Cost]]:
    seen: dict[str, list[Cost]] = {name: [] for name in todo}
    for number in range(rounds):
        for name, step in todo.items():
            seen[name].append(run(step))
            print(f"  round {number + 1}: {name:<20}{seen[name][-1].cpu:8.2f} s CPU", file=sys.stderr)
    return seen


def median(costs: list[Cost]) -> Cost:
    return Cost(*(statistics.median(getattr(cost, field.name) for cost in costs) for field in fields(Cost)))


def spread(costs: list[Cost], field: str) -> float:
    """(max - min) / median: the machine's noise."""
    values = [getattr(cost, field) for cost in costs]
    return (max(values) - min(values)) / statistics.median(values)


def report(seen: Mapping[str, list[Cost]], megabytes: float) -> None:
    print(f"\n{megabytes:.0f} MB of JSON; MB of it per second")
    print(
        f"  {'':<20}{'by CPU':>8}{'by wall':>9}{'CPU s':>8}{'peak MB':>9}{'workers':>9}{'noise CPU/wall':>16}"
    )
    for name, costs in seen.items():
        cost = median(costs)
        workers = f"{cost.adopted:.0f}" if cost.adopted else ""
        noise = f"{spread(costs, 'cpu'):.0%} / {spread(costs, 'wall'):.0%}"
        print(
            f"  {name:<20}{megabytes / cost.cpu:>8.0f}{megabytes / cost.wall:>9.0f}{cost.cpu:>8.2f}"
            f"{cost.memory:>9.0f}{workers:>9}{noise:>16}"
        )


@dataclass(frozen=True)
class Goal:
    """A figure of the issue, what was measured, and whether that reaches it."""

    what: str
    goal: float
    found: float
    at_most: bool = False

    def __str__(self) -> str:
        good = self.found <= self.goal if self.at_most else self.found >= self.goal
        sign = "at most" if self.at_most else "at least"
        word = "reached" if good else "MISSED"
        return f"  {word:<8} {self.what:<44}{self.found:>8.2f}   {sign} {self.goal:g}"


def goals(seen: Mapping[str, list[Cost]]) -> list[Goal]:
    cost = {name: median(costs) for name, costs in seen.items()}
    whole, first, two = cost["whole analysis"], cost["first pass"], cost["two processes"]
    extracting = (first.cpu / cost["decode and match"].cpu - 1) * 100
    peers = {"oonidata": 4, "DuckDB, JSON path": 2, "DuckDB, read_json": 2, "chDB": 1.5, "igzip -dc": 0.7}
    found = [
        Goal(f"whole analysis to {name}", goal, cost[name].cpu / whole.cpu)
        for name, goal in peers.items()
        if name in cost
    ]
    return [
        *found,
        Goal("two processes to one, by wall", 1.7, first.wall / two.wall),
        Goal("two processes to one, were no core shared", 1.7, 2 * first.cpu / two.cpu),
        Goal("judging by another registry to the first pass", 20, first.cpu / cost["judging again"].cpu),
        Goal("judging by the same registry to the first pass", 20, first.cpu / cost["judging the same"].cpu),
        Goal("extraction beyond decoding and matching, %", 20, extracting, at_most=True),
        Goal("peak MB, first pass", MEMORY_GOAL, first.memory, at_most=True),
        Goal("peak MB, a worker of two", MEMORY_GOAL, two.adopted, at_most=True),
        Goal("peak MB, whole analysis", MEMORY_GOAL, whole.memory, at_most=True),
        Goal("peak MB, judging again", MEMORY_GOAL, cost["judging again"].memory, at_most=True),
    ]


def score(corpus: Path, out: Path) -> list[Goal]:
    """Precision and recall against the truth, and interception found where there is none."""
    truth = [json.loads(line) for line in (corpus / "truth.jsonl").open()]
    by_uid = {each["uid"]: each for each in truth}
    by_place = {(each["file"].partition("/")[2], each["line"]): each for each in truth}
    query = "SELECT uid, source, line, outcome, authority, match FROM read_parquet(?)"
    rows = duckdb.execute(query, [str(out / "verdicts" / "measurements.parquet")]).fetchall()
    if len(rows) != len(truth):
        raise SystemExit(f"bench: {len(rows)} verdicts on {len(truth)} measurements")
    attributed = right = accepted = false = 0
    for uid, source, line, outcome, authority, match in rows:
        told = by_uid.get(uid) or by_place[source, line]
        accepted += outcome in told["accept"]
        if outcome != "interception":
            continue
        false += not told["is_interception"]
        if match in ATTRIBUTED:
            attributed += 1
            right += told["is_interception"] and authority == told["authority"]
    known = sum(each["is_interception"] and each["match"] in ATTRIBUTED for each in truth)
    return [
        Goal("precision of attributed interception", 1, right / max(attributed, 1)),
        Goal("recall of attributed interception", 1, right / max(known, 1)),
        Goal("interception where there is none", 0, false, at_most=True),
        Goal("share of outcomes that the truth accepts", 1, accepted / len(truth)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--megabytes", type=float, default=200, help="of JSON; 2000 for the figures of README.md"
    )
    parser.add_argument("--corpus", type=Path, help="one that bench/corpus.py made")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    args = parser.parse_args()
    other = min(os.sched_getaffinity(0) - {args.core}, default=args.core)
    with tempfile.TemporaryDirectory(prefix="kzbench-") as name:
        folder = Path(name)
        # Modules are compiled once, as where a package is installed, and not into the sources' folder.
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        corpus = args.corpus
        if corpus is None:
            corpus = folder / "corpus"
            write_corpus(corpus, plans(args.seed, args.megabytes, None, "gz", None), processes=2)
        told = json.loads((corpus / "truth.json").read_text())
        todo = steps(corpus, folder, args.core, other)
        seen = measure(todo, args.rounds)
        report(seen, told["octets"] / 1e6)
        print("\ngoals; by CPU where nothing else is said")
        for goal in [*goals(seen), *score(corpus, folder / "out")]:
            print(goal)


if __name__ == "__main__":
    main()
