"""Exceptions: each says that we or the caller are wrong; a network failure is a value, never one of these."""


class KzmitmError(Exception):
    """Base of every exception of ours; `hint` is the one line that tells the user what to do."""

    hint: str = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        if hint:
            self.hint = hint


class UsageError(KzmitmError):
    """The caller's input cannot be used: a bad option, list, control file or store (exit 2)."""


class ConsentError(KzmitmError):
    """The user has not agreed to a scan yet (exit 4)."""


class BundleError(KzmitmError):
    """A bundle cannot be read: damaged, too large or of an unknown schema."""


class FingerprintError(KzmitmError):
    """The registry holds an entry that does not mean what it must."""
