"""Exit codes: the same for every verb, so that scripts can rely on them."""

from enum import IntEnum

from kzmitm.errors import (
    BundleError,
    ConsentError,
    FingerprintError,
    KzmitmError,
    UnreachedError,
    UsageError,
)
from kzmitm.report.language import N_


class Exit(IntEnum):
    """What a verb ended with."""

    OK = 0
    """Nothing was found, and everything was measured."""
    FOUND = 1
    """Interception, or whatever the verb looks for."""
    USAGE = 2
    """The command, a file or the configuration cannot be used; nothing was written."""
    UNDECIDED = 3
    """Inconclusive, nothing could be measured, or the user stopped it before the end."""
    NO_CONSENT = 4
    FAULT = 70
    """A fault of ours (EX_SOFTWARE of sysexits.h)."""


EPILOG = N_("""exit codes:
  0   nothing found
  1   found: interception
  2   the command or a file cannot be used
  3   inconclusive, nothing could be measured, or stopped before the end (Ctrl-C)
  4   consent is missing
  70  a fault of kzmitm""")

CODES: tuple[tuple[type[KzmitmError], Exit], ...] = (
    (ConsentError, Exit.NO_CONSENT),
    (UnreachedError, Exit.UNDECIDED),
    (UsageError, Exit.USAGE),
    (BundleError, Exit.USAGE),
    (FingerprintError, Exit.USAGE),
)


def exit_code(error: KzmitmError) -> Exit:
    """The exit code of an exception of ours."""
    return next((code for kind, code in CODES if isinstance(error, kind)), Exit.FAULT)
