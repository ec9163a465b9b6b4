"""A scan that is saved: a journal while it runs, a signed bundle at its end."""

import argparse
import codecs
import json
import platform
import ssl
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from kzmitm.cli.folders import keys_folder, results_folder
from kzmitm.cli.results import print_text
from kzmitm.cli.scan_options import Checked
from kzmitm.cli.signing import key_of, recover_and_say, say_fingerprint
from kzmitm.errors import BundleError, UsageError
from kzmitm.evidence import layout
from kzmitm.evidence.assembly import Assembled, assemble
from kzmitm.evidence.container import open_container
from kzmitm.evidence.environment import annotations, environment
from kzmitm.evidence.files import make_folder, replace_file
from kzmitm.evidence.journal import JournalWriter, Plan, Signing, read_journal
from kzmitm.evidence.medium import Folder
from kzmitm.evidence.recovery import write_bundle
from kzmitm.evidence.scan_document import ScanHeader
from kzmitm.evidence.sealing import SEALED_SUFFIX, Recipient, seal
from kzmitm.evidence.signing.keys import campaign_key, new_key
from kzmitm.model.measurement import Measurement
from kzmitm.model.verdict import Verdict
from kzmitm.netio.stubdns import configured_nameservers
from kzmitm.report.language import _
from kzmitm.report.safe import harmless

ARCHIVE = ".zip"
LIBRARIES = ("cryptography", "pyopenssl", "dnspython", "httpx")
_NO_BUNDLE = '"bundle":null'
"""Stands right behind schema and version, long before any text of a stranger."""


def open_saved(args: argparse.Namespace, checked: Checked, header: ScanHeader) -> "Saved":
    """Begin a journal where the result is to be; raises UsageError, OSError."""
    folder, target = _place(args.out, sealed=bool(checked.recipients))
    recover_and_say(folder)  # which may make the very file that is asked for
    if target is not None and (folder / target).exists():
        raise UsageError(
            "--out: {out} exists already", hint=_("name another file, results are never mixed"), out=args.out
        )
    if args.one_time_key:
        key = new_key()
        signing = Signing(seed=key.private.private_bytes_raw())
    else:
        key, is_new = campaign_key(keys_folder(), args.campaign)
        signing = Signing(campaign=args.campaign)
        if is_new:
            say_fingerprint(key, args.campaign)
    plan = Plan(
        header=header,
        signing=signing,
        annotations=annotations(
            platform=sys.platform, machine=platform.machine(), android=hasattr(sys, "getandroidapilevel")
        ),
        environment=environment_here(),
        target=target,
    )
    if checked.recipients:
        make_folder(folder)
        return Sealed(JournalWriter.in_memory(plan), folder, checked.recipients)
    return Saved(JournalWriter.begin(folder, plan), folder)


def _place(out: Path | None, *, sealed: bool) -> tuple[Path, str | None]:
    """The folder of the result, and its name there if the user chose one; raises UsageError."""
    if out is None:
        return results_folder(), None
    suffix = SEALED_SUFFIX if sealed else ARCHIVE
    if out.suffix not in (ARCHIVE, SEALED_SUFFIX):
        return out, None
    if out.suffix != suffix:
        raise UsageError(
            "--out: {out}: the result is a file {suffix}",
            hint="name it so, or give a folder",
            out=out,
            suffix=suffix,
        )
    return out.parent, out.name


def environment_here() -> dict[str, Any]:
    """The computer that we run on, as the full level of a bundle tells of it."""
    return environment(
        system=platform.system(),
        release=platform.release(),
        machine=platform.machine(),
        python=platform.python_version(),
        libraries={name: _version(name) for name in LIBRARIES} | {"openssl": ssl.OPENSSL_VERSION},
        resolvers=[address for address, _port in configured_nameservers()],
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


class Saved:
    """A bundle on the disk; memory does not grow with it."""

    def __init__(self, writer: JournalWriter, folder: Path) -> None:
        self._writer = writer
        self._folder = folder
        self.path: Path | None = writer.medium.path if isinstance(writer.medium, Folder) else None
        """The bundle, or the journal as long as there is none."""
        self.failure: OSError | None = None

    def add(self, measurement: Measurement, verdict: Verdict, **told: Any) -> None:
        self._try(self._writer.add, measurement, verdict, **told)

    def amend(self, measurement: Measurement, verdict: Verdict, **told: Any) -> None:
        self._try(self._writer.amend, measurement, verdict, **told)

    def capture_salt(self) -> bytes:
        return self._writer.capture_salt

    def capture(self, octets: bytes) -> None:
        self._try(self._writer.capture, octets)

    def finish(self, *, finished_at: datetime, complete: bool) -> None:
        """End the journal and make the bundle of it."""
        self._try(self._writer.finish, finished_at=finished_at, complete=complete)
        self._writer.close()
        self._try(self._write)
        self._writer.release()

    def closing_words(self) -> Iterator[str]:
        path = harmless(str(self.path), 4096)
        yield _("The result is kept; to read it again, or have a page of it to show and to print:")
        yield f"  kzmitm show {path}"
        yield f"  kzmitm report {path}"

    def print_document(self) -> None:
        """As it stands in the bundle, with the bundle's path, in flat memory; nothing if it has no end."""
        if self.failure is None:
            assert self.path is not None  # noqa: S101 - there is a bundle
            with open_container(self.path) as container:
                _print_document(container.chunks(layout.PARTNER_SCAN.path), self.path)

    def _write(self) -> None:
        journal = read_journal(self._writer.medium)
        assert self.path is not None  # noqa: S101 - of the journal
        self.path = write_bundle(journal, self.path, key_of(journal.signing))

    def _try(self, write: Callable[..., None], *words: Any, **told: Any) -> None:
        if self.failure is None:
            try:
                write(*words, **told)
            except OSError as exc:
                self.failure = exc
            except BundleError as exc:  # more than an archive can hold
                self.failure = OSError(0, str(exc))


class Sealed(Saved):
    """A bundle that only the holders of some keys can open; until its end it is in memory only."""

    def __init__(self, writer: JournalWriter, folder: Path, recipients: Sequence[Recipient]) -> None:
        super().__init__(writer, folder)
        self.path = folder
        self._recipients = recipients
        self._assembled: Assembled | None = None

    def closing_words(self) -> Iterator[str]:
        yield _("The result is sealed; not even this computer can open it. Who has the key opens it with:")
        yield f"  age -d -i KEY -o result.zip {harmless(str(self.path), 4096)}"

    def print_document(self) -> None:
        if self.failure is None and self._assembled is not None:
            found = next(each for each in self._assembled.sources if each.path == layout.PARTNER_SCAN.path)
            _print_document(found.chunks(), self.path or self._folder)

    def _write(self) -> None:
        journal = read_journal(self._writer.medium)
        self._assembled = assemble(journal, key_of(journal.signing))
        octets = seal(b"".join(self._assembled.chunks()), self._recipients)
        name = journal.begin["target"] or f"{self._assembled.root}{SEALED_SUFFIX}"
        replace_file(self._folder / name, [octets])
        self.path = self._folder / name


def _print_document(chunks: Iterable[bytes], bundle: Path) -> None:
    """scan.json on stdout with the path of its bundle."""
    missing = True
    decoder = codecs.getincrementaldecoder("utf-8")()
    for chunk in chunks:
        text = decoder.decode(chunk)
        if missing and _NO_BUNDLE in text:
            text = text.replace(_NO_BUNDLE, f'"bundle":{json.dumps(str(bundle))}', 1)
            missing = False
        print_text(text)
