"""The bench's client: the engine of `kzmitm scan` over pairs from a file, one row per pair.

It captures, parses, validates, matches and judges, and writes the same rows as bench/goscan.
"""

import argparse
import asyncio
import json
import resource
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from kzmitm.cli.loop import spare_the_collector
from kzmitm.model.target import Target
from kzmitm.model.verdict import Outcome
from kzmitm.netio.vantage import open_vantage
from kzmitm.pki.registry import parse_registry
from kzmitm.pki.store import parse_store
from kzmitm.resources import fingerprint_files
from kzmitm.scan import Judged, Network, ScanOptions, scan
from kzmitm.verdict.judge import Judge


def read_pairs(path: Path) -> Iterator[Target]:
    with path.open() as file:
        for line in file:
            name, _, endpoint = line.strip().partition(" ")
            address, _, port = endpoint.rpartition(":")
            yield Target(name, int(port), address=address)


def row(judged: Judged) -> str:
    """The row of goscan: what was negotiated, the chain by hash, the failure of the certificate."""
    first = judged.measurement.first
    facts = judged.facts
    if first is None or facts.focus is None:
        return json.dumps({"name": judged.measurement.target.hostname, "failure": "nothing measured"})
    return json.dumps(
        {
            "name": first.sni,
            "version": first.version,
            "cipher": first.cipher_suite,
            "alpn": first.alpn,
            "chain": [certificate.sha256 for certificate in facts.focus.chain],
            "failure": "" if judged.verdict.outcome is Outcome.CLEAN else str(facts.failure or first.failure),
        }
    )


async def run(arguments: argparse.Namespace) -> None:
    store = parse_store(arguments.roots.read_bytes(), name="bench", version="1", date="2026-01-01")
    judge = Judge(registry=parse_registry(fingerprint_files()), store=store)
    link = open_vantage(arguments.via)
    network = Network(link=link)
    options = ScanOptions(concurrency=arguments.concurrency)
    clock = lambda: datetime.now(UTC)  # noqa: E731, TID251 - a bench measures now
    with arguments.out.open("w") as file:
        pairs = read_pairs(arguments.pairs)
        async for judged in scan(
            pairs, network=network, judge=judge, options=options, rng=Random(1), now=clock
        ):
            file.write(row(judged) + "\n")
    await link.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--roots", type=Path, required=True)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--concurrency", type=int, default=200)
    parser.add_argument("--via", default="direct:")
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    arguments = parser.parse_args()
    spare_the_collector()
    if arguments.loop == "uvloop":
        import uvloop  # noqa: PLC0415 - an extra

        uvloop.run(run(arguments))
    else:
        asyncio.run(run(arguments))
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB", file=sys.stderr)


if __name__ == "__main__":
    main()
