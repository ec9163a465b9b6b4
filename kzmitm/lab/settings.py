"""The parameters of a profile and the values they were given, checked once."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kzmitm.errors import UsageError
from kzmitm.lab.certificates.extensions import DOMAIN
from kzmitm.report.safe import harmless
from kzmitm.wording import Wording

MAX_NAMES = 32
"""Sites in one parameter; the laboratory has twenty, and each is scanned."""

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_SITE = re.compile(rf"({_LABEL}\.)+{DOMAIN}", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
MAX_NAME = 64
"""RFC 5280, appendix A: ub-common-name and ub-organization-name."""

YES, NO = "yes", "no"


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something about a profile that may be chosen; every value is text until it is asked for."""

    name: str
    default: str
    about: str
    """What it means, as a phrase for people."""
    choices: tuple[str, ...] = ()
    """All values there are, where they can be listed; several may be given if `is_list`."""
    is_list: bool = False

    def check(self, value: str) -> str:
        """The value as it is kept; raises UsageError for one that cannot be."""
        parts = [part.strip() for part in value.split(",")] if self.is_list else [value.strip()]
        parts = [part for part in parts if part or not self.is_list]
        if self.choices:
            for part in parts:
                if part not in self.choices:
                    self._refuse(part, Wording("choose from: {choices}", choices=", ".join(self.choices)))
        elif self.is_list:
            parts = [self._site(part) for part in parts] or [self._site("")]
        elif parts != [self.default]:
            self._text(parts[0])
        return ",".join(parts)

    def _site(self, name: str) -> str:
        name = name.lower().rstrip(".")
        if not _SITE.fullmatch(name) or len(name) > 253:  # RFC 1035, 2.3.4
            self._refuse(name, Wording("sites of the laboratory end in .{domain}", domain=DOMAIN))
        return name

    def _text(self, value: str) -> None:
        if self.name == "country":
            if not _COUNTRY.fullmatch(value):
                self._refuse(value, Wording("two capital letters, like KZ"))
        elif not value.isprintable() or not 0 < len(value.encode()) <= MAX_NAME:
            self._refuse(value, Wording("1 to {max_name} octets of printable characters", max_name=MAX_NAME))

    def _refuse(self, value: str, hint: str) -> None:
        raise UsageError(
            "{name}: not possible: {value}", hint=hint, name=self.name, value=harmless(value, 80) or "nothing"
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """The values of all parameters of a profile, checked."""

    values: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def names(self, name: str) -> tuple[str, ...]:
        """The items of a list; () where there is no such parameter."""
        return tuple(filter(None, self.values.get(name, "").split(",")))

    def is_on(self, name: str) -> bool:
        """True if a parameter of `yes` and `no` says yes."""
        return self.values.get(name) == YES

    def changed(self, parameters: Sequence[Parameter]) -> Iterator[tuple[str, str]]:
        """What is not as it would be by default."""
        for parameter in parameters:
            if self.values[parameter.name] != parameter.default:
                yield parameter.name, self.values[parameter.name]


def settle(parameters: Sequence[Parameter], given: Mapping[str, str], *, profile: str) -> Settings:
    """The settings of a profile from what a user gave; raises UsageError for what it does not have."""
    known = {parameter.name: parameter for parameter in parameters}
    for name, value in given.items():
        if name not in known:
            has = ", ".join(known) or "none"
            raise UsageError(
                "the profile {profile} has no parameter {name}",
                hint="it has: {has}",
                profile=profile,
                name=harmless(name, 40),
                has=has,
            )
        if len(value.split(",")) > MAX_NAMES:
            raise UsageError(
                "{name}: more than {max_names} items", hint="give fewer", name=name, max_names=MAX_NAMES
            )
    return Settings({name: p.check(given[name]) if name in given else p.default for name, p in known.items()})
