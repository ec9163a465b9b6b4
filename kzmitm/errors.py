"""Exceptions: each says that we or the caller are wrong; a network failure is a value, never one of these."""

from kzmitm.wording import Wording


class WordedError(Exception):
    """An exception with words for people: a literal with places, and what goes into them.

    `str()` gives its `Wording`, which `kzmitm.report.language._` says in the language spoken.
    """

    def __init__(self, message: str, /, **values: object) -> None:
        # What is a wording already keeps its values, as when it comes back from another process.
        super().__init__(message if isinstance(message, Wording) else Wording(message, **values))


class KzmitmError(WordedError):
    """Base of every exception of ours; `hint` is the one line that tells the user what to do."""

    hint: str = ""

    def __init__(self, message: str, /, *, hint: str = "", **values: object) -> None:
        super().__init__(message, **values)
        if hint:
            self.hint = hint if isinstance(hint, Wording) else Wording(hint, **values)


class UsageError(KzmitmError):
    """The caller's input cannot be used: a bad option, list, control file or store (exit 2)."""


class UnreachedError(KzmitmError):
    """The way out that was asked for is down: nothing could be measured (exit 3)."""


class ConsentError(KzmitmError):
    """The user has not agreed to a scan yet (exit 4)."""


class BundleError(KzmitmError):
    """A bundle cannot be read: damaged, too large or of an unknown schema."""


class FingerprintError(KzmitmError):
    """The registry holds an entry that does not mean what it must."""
