"""The names that an operator watches for."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Watch:
    """Watched names with all their subdomains; None = every hello, with or without a name."""

    names: frozenset[str] | None

    @classmethod
    def of(cls, names: Iterable[str] | None) -> "Watch":
        """From names in any case, with or without the dot of the root."""
        return cls(None if names is None else frozenset(_canonical(name) for name in names))

    def matches(self, name: str | None) -> bool:
        """True if a hello with this server name is to be intercepted."""
        if self.names is None:
            return True
        if name is None:
            return False
        rest = _canonical(name)
        while rest:
            if rest in self.names:
                return True
            _, _, rest = rest.partition(".")
        return False


def _canonical(name: str) -> str:
    return name.lower().removesuffix(".")
