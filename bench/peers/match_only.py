"""Our first pass without its product: every document read, every chain told, nothing kept.

    python bench/peers/match_only.py FOLDER

What is left of the first pass beyond this is the price of having extracted.
"""

import sys
from pathlib import Path

from kzmitm.ooni.archive.extraction import Extractor
from kzmitm.ooni.archive.planning import sources_in
from kzmitm.ooni.archive.reading import documents
from kzmitm.pki.registry import parse_registry
from kzmitm.resources import fingerprint_files


class Matches:
    """Looks every certificate up in the registry, and counts."""

    def __init__(self) -> None:
        self.known = frozenset(parse_registry(fingerprint_files()).by_sha256)
        self.handshakes = self.found = 0

    def measurement(self, _: object) -> None:
        pass

    def handshake(self, _: object) -> None:
        self.handshakes += 1

    def chain(self, chain: object) -> None:
        self.found += any(digest in self.known for digest in chain.hashes)

    def own(self, doc: int, line: bytes) -> None:
        pass


def main() -> None:
    matches = Matches()
    extractor = Extractor(matches)
    for source in sources_in([Path(sys.argv[1])]):
        with Path(source.path).open("rb", buffering=0) as file:
            for _, number, document in documents(file):
                extractor.add(document, source=source.shown, number=number)
    print(matches.handshakes, "handshakes,", matches.found, "with a known certificate", file=sys.stderr)


if __name__ == "__main__":
    main()
