"""From a list of domains to verdicts."""

from kzmitm.scan.judged import Judged, LocalWitness, Pacer, ScanJudge, ScanObserver, SilentObserver
from kzmitm.scan.options import ScanOptions, gentle
from kzmitm.scan.run import scan
from kzmitm.scan.shared import Network

__all__ = [
    "Judged",
    "LocalWitness",
    "Network",
    "Pacer",
    "ScanJudge",
    "ScanObserver",
    "ScanOptions",
    "SilentObserver",
    "gentle",
    "scan",
]
