"""Writes the published reports of reports/ again: all of them, or those that are named.

    .venv/bin/python tools/publish.py [NAME...] [--out DIR]

Each report names this command on its first line, and a test holds that it gives the same but for the date.
The lab demonstration is told from a result that was recorded once (`reports/lab-demonstration.zip`, of
`kzmitm lab demo --auto --loopback` and `kzmitm share --level public`); the example of an archive from a
corpus that is made from a seed (`bench/corpus.py --published-2024`).
"""

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from kzmitm.cli.exits import Exit
from kzmitm.cli.main import main as kzmitm

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "reports"
BUNDLE = "lab-demonstration.zip"
COMMAND = ".venv/bin/python tools/publish.py"

LAB = """\
A demonstration: all of this happened on one computer, in the laboratory of kzmitm. The sites, networks and \
authorities are made up, the interceptors are real programs, and the report is what anybody gets of such \
a result.\
"""
ARCHIVE = """\
An example: **these measurements are made up**. The corpus is made from a seed so that it gives the figures \
that OONI published of Kazakhstan in September 2024: look-alikes of the seven certificates with their serial \
numbers and dates, 14 names, 19 networks, among ten times as many innocent measurements. How often each was \
seen is invented.\
"""


def publish(name: str, out: Path) -> list[Path]:
    """Write one report, with its pictures, into `out`; the files that it wrote."""
    with tempfile.TemporaryDirectory(prefix="kzmitm-") as scratch:
        place = Path(scratch) / "pages"
        place.mkdir()
        introductions = REPORTS_BY_NAME[name](Path(scratch), place)
        for stem, introduction in introductions.items():
            page = place / f"{stem}.md"
            head = f"`{COMMAND} {name}` makes this page again.\n\n"
            page.write_bytes(head.encode() + introduction.encode() + page.read_bytes())
        written = [out / page.name for page in sorted(place.iterdir())]
        for path in written:
            shutil.copyfile(place / path.name, path)
    return written


def _history(scratch: Path, place: Path) -> dict[str, str]:
    del scratch
    report(ROOT / "fingerprints", place / "interception-kz.md")
    return {"interception-kz": ""}


def _lab(scratch: Path, place: Path) -> dict[str, str]:
    del scratch
    report(REPORTS / BUNDLE, place / "lab-demonstration.md")
    return {"lab-demonstration": f"{LAB}\n\n"}


def _archive(scratch: Path, place: Path) -> dict[str, str]:
    corpus, found = scratch / "corpus", scratch / "found"
    make = [
        sys.executable,
        str(ROOT / "bench" / "corpus.py"),
        str(corpus),
        "--published-2024",
        "--processes",
        "1",
    ]
    subprocess.run(make, check=True, capture_output=True)
    judged_by = ["--store", str(corpus / "store.pem"), "--fingerprints", str(corpus / "registry")]
    run("ooni", "analyze", str(corpus / "raw"), "--out", str(found), "--jobs", "1", *judged_by)
    overlay = ["--fingerprints", str(corpus / "registry")]
    report(found, place / "archive-example.md", *overlay)
    report(found, place / "archive-example-impact.md", "--impact", *overlay)
    return {"archive-example": f"{ARCHIVE}\n\n", "archive-example-impact": f"{ARCHIVE}\n\n"}


REPORTS_BY_NAME: dict[str, Callable[[Path, Path], dict[str, str]]] = {
    "history": _history,
    "lab": _lab,
    "archive": _archive,
}
"""Each makes its pages in a folder, and gives what stands above each of them."""


def report(what: Path, page: Path, *words: str) -> None:
    """The Markdown of one thing."""
    run("report", str(what), "--format", "md", "--out", str(page), *words)


def run(*words: str) -> None:
    """A command of kzmitm, of which the result is wanted and not what it says; raises RuntimeError."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as told:
        code = kzmitm(words)
    if code not in (Exit.OK, Exit.FOUND, Exit.UNDECIDED):
        raise RuntimeError(f"kzmitm {words[0]} ended with {code}: {told.getvalue().strip()}")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", choices=[[], *REPORTS_BY_NAME], metavar="NAME", default=[])
    parser.add_argument("--out", type=Path, default=REPORTS)
    args = parser.parse_args(argv)
    for name in args.names or REPORTS_BY_NAME:
        for path in publish(name, args.out):
            print(path)


if __name__ == "__main__":
    main()
