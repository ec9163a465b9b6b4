"""Check a result: was it altered, who signed it, what does it prove."""

import argparse
import re
from pathlib import Path

from kzmitm.cli import clock
from kzmitm.cli.exits import Exit
from kzmitm.cli.folders import keys_folder, known_signers_file
from kzmitm.cli.parser import filled, filled_path
from kzmitm.cli.terminal import print_json, print_lines, say
from kzmitm.cli.timestamp_roots import timestamp_roots
from kzmitm.cli.verification_views import document, lines
from kzmitm.errors import UsageError
from kzmitm.evidence import layout
from kzmitm.evidence.signing.keys import own_keys
from kzmitm.evidence.signing.known_signers import check_name, read_known_signers, remember
from kzmitm.evidence.verification.verify import SignerStatus, Trust, Verification, verify_bundle
from kzmitm.report.language import _
from kzmitm.report.safe import harmless

_FINGERPRINT = re.compile(r"(?:SHA256:)?([A-Za-z0-9+/]{43})=?", re.ASCII)


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("bundle", metavar="FILE|DIR", type=filled_path, help="the result: an archive, or its unpacked folder")
    add("--signer", metavar="FINGERPRINT", type=filled, help="the key that must have signed it (SHA256:…)")
    add("--known-signers", metavar="FILE", type=filled_path,
        help="whose keys you know, in the format of OpenSSH (default: in the data of this user)")  # fmt: skip
    add("--remember", metavar="NAME", type=filled, help="know this signer by that name from now on")
    add("--tsa-root", metavar="FILE", action="append", default=[],
        help="a PEM file with the root of a time-stamping authority, beside the pinned ones")  # fmt: skip
    add("--json", action="store_true", help="one document (kzmitm.verification/1.0) on stdout")
    parser.epilog = (
        "Nothing is sent, and nothing of the archive is unpacked. Exit code 0: unaltered, and the signer is\n"
        "known; 1: altered, or signed by another key than the known one; 2: no result at all; 3: unaltered,\n"
        "and nobody told this computer whose key it is."
    )


def run(args: argparse.Namespace) -> int:
    known_file = args.known_signers or known_signers_file()
    if args.known_signers is not None and not known_file.is_file():
        raise UsageError(
            "--known-signers: {known_file}: no such file",
            hint=_("name a file that can be read"),
            known_file=known_file,
        )
    if args.remember is not None:
        check_name(args.remember)
    if args.tsa_root:
        timestamp_roots(args.tsa_root)  # also of a result without timestamps: a mistake is told at once
    trust = Trust(
        expected=_fingerprint(args.signer),
        known=read_known_signers(known_file),
        own=own_keys(keys_folder()),
        roots=lambda: timestamp_roots(args.tsa_root),
    )
    found = verify_bundle(args.bundle, trust=trust, now=clock.now())
    if args.json:
        print_json(document(found))
    else:
        print_lines(lines(found, own_keys=tuple(trust.own.values())))
    if args.remember and found.is_unaltered:
        _remember(found, args.remember, known_file)
    return _exit(found, remembered=bool(args.remember))


def _exit(found: Verification, *, remembered: bool) -> Exit:
    if not found.is_unaltered:
        return Exit.FOUND
    known = found.signer is not None and found.signer.status is not SignerStatus.UNKNOWN
    return Exit.OK if known or remembered else Exit.UNDECIDED


def _fingerprint(text: str | None) -> str:
    if text is None:
        return ""
    match = _FINGERPRINT.fullmatch(text)
    if match is None:
        raise UsageError(
            "--signer: no fingerprint: {text}",
            hint=_("it looks like SHA256: and 43 letters and digits"),
            text=repr(text[:80]),
        )
    return f"SHA256:{match[1]}"


def _remember(found: Verification, name: str, known_file: Path) -> None:
    signer = found.signer
    assert signer is not None  # noqa: S101 - an unaltered bundle has one
    if signer.status is SignerStatus.KNOWN:
        say(_("this key is known already, as {name}").format(name=harmless(signer.known_as)))
        return
    names = [name, *([signer.name] if signer.name else [])]
    remember(known_file, names, signer.key, layout.NAMESPACE)
    say(_("from now on this key is known as {name}").format(name=harmless(name)))
