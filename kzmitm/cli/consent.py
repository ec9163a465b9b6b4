"""Consent: what a scan does to whom, in twelve short lines, and the record that somebody agreed to it."""

import json
import os
import sys
from datetime import date
from pathlib import Path

from kzmitm.cli.folders import consent_file, results_folder
from kzmitm.errors import ConsentError
from kzmitm.evidence.files import make_folder
from kzmitm.report.language import N_, _, ngettext

VERSION = 1
"""Raised when the text changes in what it asks; older agreements then count no more."""

MAX_FILE = 1000
"""Octets; the record is one short line."""

QUESTIONS = (
    (N_("Can my provider see these connections? (yes/no)"), "yes"),
    (N_("Does kzmitm send my results to anyone? (yes/no)"), "no"),
)
AGREEMENT = "YES"

ASK_FIRST = N_("read `kzmitm consent` and agree, or give --i-understand once you have read it")


def text(sites: int) -> tuple[str, ...]:
    """The text for a scan of the default list of `sites` sites."""
    items = (
        ngettext(
            (
                "1 A scan makes ordinary TLS connections to {sites} site (--dry-run lists it).\n  It "
                "loads no page and logs in nowhere. It asks resolvers for addresses."
            ),
            (
                "1 A scan makes ordinary TLS connections to {sites} sites (--dry-run lists them).\n  "
                "It loads no page and logs in nowhere. It asks resolvers for addresses."
            ),
            sites,
        ).format(sites=sites),
        _(
            "2 Your provider, employer or government can see these connections, as they\n"
            "  see any visit, and can tell that they do not come from a browser."
        ),
        _(
            "3 In some places this, or having this tool, may be unlawful or draw attention.\n"
            "  Ask someone you trust. Never run it on a work, school or state network."
        ),
        _(
            "4 Nothing is sent anywhere. Results stay on this computer until you delete\n  them, in {folder}"
        ).format(folder=results_folder()),
        _(
            "5 Your IP address and the name of this computer are not stored. Your provider\n"
            "  could still tell that it was you, from the times and the sites."
        ),
        _(
            "6 You can stop at any time (Ctrl-C), read it all (kzmitm show) and delete it\n"
            "  (kzmitm purge); on SSDs and phones deleting cannot be guaranteed."
        ),
    )
    return tuple("\n".join(items).splitlines())


def is_recorded() -> bool:
    """True if the present text was agreed to on this computer; a damaged record counts as none."""
    try:
        with consent_file().open(encoding="utf-8") as file:
            record = json.loads(file.read(MAX_FILE))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(record, dict) and record.get("consent_version") == VERSION


def record(today: date) -> Path:
    """Write down that the text was agreed to, with its version and the day and nothing else."""
    path = consent_file()
    make_folder(path.parent)
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8", newline="\n") as file:
        json.dump({"consent_version": VERSION, "date": today.isoformat()}, file)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    return path


def revoke() -> bool:
    """Delete the record; False if there was none."""
    try:
        consent_file().unlink()
    except FileNotFoundError:
        return False
    return True


def demand(*, understood: bool) -> None:
    """Raise ConsentError unless the text was agreed to, or the caller says that it is understood."""
    if not understood and not is_recorded():
        raise ConsentError(_("a scan needs your consent first"), hint=_(ASK_FIRST))


def ask(question: str) -> str:
    """The answer of the person at the terminal; raises ConsentError if none is there."""
    sys.stderr.write(question + " ")
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        sys.stderr.write("\n")
        raise ConsentError(_("no answer came"), hint=_(ASK_FIRST))
    return line.strip()


def at_terminal() -> bool:
    """True if a person can be asked."""
    return sys.stdin is not None and sys.stdin.isatty()
