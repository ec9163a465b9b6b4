"""Corpora as OONI's bucket holds them, made from a seed, with the truth beside them.

    python bench/corpus.py OUT [--seed 1] [--megabytes 64] [--files K] [--compress gz|zst|none]
                               [--style go|uploader] [--published-2024 | --fifty] [--processes N]

`OUT/raw/` is laid out as the bucket; `truth.jsonl` has a line for each measurement, `truth.json` the sums;
`store.pem` holds the corpus' public roots and `registry/` an overlay that knows its look-alikes, which the
analysis must be given (`--store`, `--fingerprints`): no certificate of a corpus is anybody's real one.
`intermediates.pem` are the public intermediates, as browsers preload them.

For tests: `situation(name, seed) -> (document, truth)` for every name in `SITUATIONS`, and
`public_certificates(seed)`. The same seed gives the same octets, certificates included (`zst` as long as the
library is the same). A truth is joined to its line by `file` and `line`, or by `uid` where `uid_in_line`.
"""

import argparse
import os
import sys
import time
from pathlib import Path

from corpora.fifty import fifty
from corpora.files import plans, write_corpus
from corpora.making import SITUATIONS, situation
from corpora.overlay import public_certificates, write_overlay
from corpora.published import write_published

__all__ = [
    "SITUATIONS",
    "fifty",
    "plans",
    "public_certificates",
    "situation",
    "write_corpus",
    "write_overlay",
    "write_published",
]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--megabytes", type=float, default=64, help="of JSON, before compression")
    parser.add_argument("--files", type=int, help="of web_connectivity; by default one for 16 MB, at least 5")
    parser.add_argument("--compress", choices=("gz", "zst", "none"), default="gz")
    parser.add_argument("--style", choices=("go", "uploader"), help="encoder of all files; by default both")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--published-2024", action="store_true", help="the published figures of 2024, exactly")
    kind.add_argument("--fifty", action="store_true", help="one small measurement of each situation")
    args = parser.parse_args()
    began = time.perf_counter()
    if args.published_2024:
        told = write_published(args.out, args.seed, args.compress, processes=args.processes)
    elif args.fifty:
        told = write_corpus(args.out, fifty(args.seed, args.compress, args.style))
    else:
        todo = plans(args.seed, args.megabytes, args.files, args.compress, args.style)
        told = write_corpus(args.out, todo, processes=args.processes)
    took = time.perf_counter() - began
    print(
        f"{told['lines']} measurements in {told['files']} files, {told['octets'] / 1e6:.1f} MB of JSON, "
        f"{told['ratio']} times what is stored, {told['octets'] / told['lines'] / 1e3:.1f} KB each; "
        f"{told['interceptions']} interceptions; {told['octets'] / 1e6 / took:.0f} MB/s",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
