"""Say what a certificate file is before anybody installs it."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from kzmitm.cli import clock
from kzmitm.cli.exits import Exit
from kzmitm.cli.parser import filled_path
from kzmitm.cli.root_views import root_document
from kzmitm.cli.sources import root_classifier
from kzmitm.cli.terminal import print_json, print_lines
from kzmitm.errors import UsageError
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.root_class import RootClass
from kzmitm.report.language import N_, Words, _
from kzmitm.report.line import Line, Style
from kzmitm.report.root_lines import what_it_is
from kzmitm.report.safe import harmless
from kzmitm.roots.contents import Contents, Note
from kzmitm.roots.examination import Examination, examine
from kzmitm.roots.packages import MAX_FILE, certificates_in
from kzmitm.roots.values import Origin, Store, StoredRoot, StoreReading, Trust
from kzmitm.wording import reason_of

SCHEMA = "kzmitm.inspection/1.0"

NOTES = Words(
    {
        Note.NETWORK_SECURITY_CONFIG: N_("this program has rules of its own for whom it trusts"),
        Note.OWN_TRUST_ANCHORS: N_("its rules name the roots that it trusts"),
        Note.SIGNED: N_("it is in a signed message; whose signature that is was not checked"),
        Note.ENCRYPTED: N_("a part of it is encrypted for one device"),
    }
)
DO_NOT_INSTALL = N_("Do not install it: whoever holds its key could read and change your connections.")
ASK_FIRST = N_(
    "Before you install a root, know who holds its key: it can vouch for any site to your programs."
)


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("files", metavar="FILE", nargs="+", type=filled_path,
        help="a certificate, .pem, .cer, .p7b, .p12, .jks, .mobileconfig, .apk, .zip or .reg")  # fmt: skip
    add("--fingerprints", metavar="DIR", type=filled_path, action="append", default=[],
        help="lay the files of DIR over our registry; may be repeated")  # fmt: skip
    add("--json", action="store_true", help=_("one document ({schema}) on stdout").format(schema=SCHEMA))
    parser.epilog = (
        "Nothing is installed, sent or changed. Exit code 1: a root of an interceptor, or one whose key\n"
        "anybody has; 3: a file that could not be read to its end."
    )


def run(args: argparse.Namespace) -> int:
    cache = CertificateCache()
    classify = root_classifier(args.fingerprints, clock.now(), cache)
    found = []
    for path in args.files:
        contents = certificates_in(_read(path), name=str(path))
        found.append((path, contents, examine([_reading(path, contents)], classify=classify, cache=cache)))
    if args.json:
        print_json({"schema": SCHEMA, "version": "1.0", "files": [_document(*each) for each in found]})
    else:
        print_lines(line for each in found for line in _lines(*each))
    if any(root.finding.is_alarm for _path, _contents, examined in found for root in examined.roots):
        return Exit.FOUND
    return Exit.UNDECIDED if any(contents.problem for _path, contents, _examined in found) else Exit.OK


def _read(path: Path) -> bytes:
    try:
        if str(path) == "-":
            return sys.stdin.buffer.read(MAX_FILE + 1)
        with path.open("rb") as file:
            return file.read(MAX_FILE + 1)
    except OSError as exc:
        raise UsageError(
            "{path}: {why}", hint=_("name a file that can be read"), path=path, why=reason_of(exc)
        ) from None


def _reading(path: Path, contents: Contents) -> StoreReading:
    roots = tuple(
        StoredRoot(der=item.der, trust=item.trust or Trust.PRESENT, origin=Origin.UNKNOWN, label=item.label)
        for item in contents.items
    )
    store = Store(kind="file", application=contents.kind, path=str(path))
    return StoreReading(store=store, roots=roots, problem=contents.problem)


def _lines(path: Path, contents: Contents, found: Examination) -> Iterator[Line]:
    yield Line(f"{harmless(str(path), 300)} ({contents.kind.value.replace('_', ' ')})", style=Style.HEADING)
    for note in contents.notes:
        yield Line(f"  {NOTES[note]}", indent=2)
    for root in found.roots:
        yield from what_it_is(root, is_installed=False)
        yield Line(f"  SHA-256 {root.certificate.sha256}", indent=2)
    if contents.problem:
        yield Line(f"  {harmless(contents.problem, 200)}", lead=_("NOT READ: "), style=Style.WARNING)
    alarms = [root for root in found.roots if root.finding.is_alarm]
    quiet = all(root.finding.root_class is RootClass.PUBLIC for root in found.roots)
    if alarms:
        yield Line(_(DO_NOT_INSTALL), style=Style.ALARM)
    elif found.roots and not quiet:
        yield Line(_(ASK_FIRST))
    yield Line()


def _document(path: Path, contents: Contents, found: Examination) -> dict[str, object]:
    notes: Sequence[Note] = tuple(contents.notes)
    return {
        "path": str(path),
        "kind": contents.kind,
        "notes": list(notes),
        "problem": contents.problem,
        "certificates": [root_document(root) for root in found.roots],
    }
