"""Work for a measuring place far away, and what it gives back: JSON within hard limits, and never code.

Both come from strangers. Keys that we do not know are passed over, so that later versions may add some; a
value of the wrong form is an error that names its key.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, TypeVar

from kzmitm.campaign import forms
from kzmitm.campaign.forms import FormError
from kzmitm.campaign.plan import JobKind
from kzmitm.campaign.share_store import MAX_JOBS
from kzmitm.errors import KzmitmError
from kzmitm.evidence.json_reader import MAX_COMMAS, UnreadableJSONError, parse_json
from kzmitm.evidence.signing.keys import SigningKey
from kzmitm.evidence.signing.sshsig import PublicKey, SignatureError, sign, verify
from kzmitm.model.target import Target, parse_target
from kzmitm.wire.profiles import PROFILES
from kzmitm.wording import Wording

ITEM_FORMAT: Final = "kzmitm.work/1.0"
RESULT_FORMAT: Final = "kzmitm.work-result/1.0"
NAMESPACE: Final = "kzmitm-work@v1"
"""Of the signature over a measurement's line: `ssh-keygen -Y verify` checks it."""
MAX_ITEM: Final = 16 << 10
MAX_RESULT: Final = 1 << 20
MAX_BENIGN: Final = 16
MIN_RATE: Final = 1e-9
"""Of what is a part of a rate: small ones may be divided among very many."""
MAX_GAP_S: Final = 366 * 86400.0
"""Of pauses, which are as much longer as there are workers."""

T = TypeVar("T")


class WorkError(KzmitmError):
    """A message is not what it should be; says at which key, and what that must be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOptions:
    """How a target is to be measured, and how gently; a worker's own limits hold besides."""

    profile: str = "small"
    families: tuple[int, ...] = (4, 6)
    follow_ups: bool = True
    timeout: float = 15.0
    max_addresses: int = 1
    benign: tuple[str, ...] = ()
    """Names that nobody would touch, for follow-ups."""
    concurrency: int = 20
    rate: float | None = None
    endpoint_gap: float = 2.0
    network_concurrency: int = 4
    as_concurrency: int | None = None
    as_rate: float | None = None
    """Both where the worker knows which network an address is of."""
    asn: str | None = None
    cc: str | None = None
    """Where the campaign says that the vantage is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem:
    """One job for a vantage."""

    campaign: str
    plan: str
    job: str
    number: int
    round: int
    vantage: str
    kind: JobKind
    target: Target
    options: WorkOptions
    attempt: int = 1

    @property
    def annotations(self) -> dict[str, str]:
        """What a line about this work bears, as the lines of all campaigns do."""
        told = {
            "campaign_job": self.job,
            "campaign_round": str(self.round),
            "campaign_vantage": self.vantage,
        }
        return told | ({"campaign_control": "true"} if self.kind is JobKind.CONTROL else {})

    def message_id(self, key: PublicKey) -> str:
        """By which a server knows a result that it was given before."""
        again = f".{self.attempt}" if self.attempt > 1 else ""
        return f"{self.job}.{key.fingerprint.removeprefix('SHA256:')}{again}"

    def encoded(self) -> bytes:
        told = {each.name: getattr(self, each.name) for each in fields(self)}
        told |= {"format": ITEM_FORMAT, "target": str(self.target), "options": asdict(self.options)}
        return _encoded(told, MAX_ITEM)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkResult:
    """One measurement: its line in OONI's format, signed by the worker. What it is worth, others judge."""

    plan: str
    job: str
    number: int
    round: int
    vantage: str
    line: bytes
    key: PublicKey
    signature: bytes

    def encoded(self) -> bytes:
        """Raises WorkError for a line that is too long."""
        told = {each.name: getattr(self, each.name) for each in fields(self)}
        return _encoded(
            told
            | {
                "format": RESULT_FORMAT,
                "line": self.line.decode(),
                "key": self.key.line,
                "signature": self.signature.decode("ascii"),
            },
            MAX_RESULT,
        )

    def check(self) -> None:
        """Raise WorkError unless the key it names signed exactly this line."""
        try:
            signer = verify(self.line, self.signature, NAMESPACE)
        except SignatureError as exc:
            raise WorkError("signature: {why}", why=exc) from None
        if signer != self.key:
            raise WorkError("signature: of another key than it names")


def result_of_work(item: WorkItem, line: bytes, key: SigningKey) -> WorkResult:
    """The signed result of an item."""
    return WorkResult(
        plan=item.plan,
        job=item.job,
        number=item.number,
        round=item.round,
        vantage=item.vantage,
        line=line,
        key=key.public,
        signature=sign(line, key.private, NAMESPACE),
    )


def parse_item(octets: bytes) -> WorkItem:
    """The work in a message; raises WorkError."""
    reading = _Reading(octets, MAX_ITEM, ITEM_FORMAT)
    options = reading.inner("options")
    defaults = WorkOptions()
    told = {
        each.name: options.read(each.name, _OPTIONS[each.name], getattr(defaults, each.name))
        for each in fields(WorkOptions)
    }
    return WorkItem(
        campaign=reading.read("campaign", forms.name),
        **_common(reading),
        kind=JobKind(reading.read("kind", forms.one_of(*JobKind))),
        target=reading.read("target", _target),
        options=WorkOptions(**told),
        attempt=reading.read("attempt", forms.whole(1, 1000), 1),
    )


def parse_result(octets: bytes) -> WorkResult:
    """The result in a message, whose signature is still to be checked; raises WorkError."""
    reading = _Reading(octets, MAX_RESULT, RESULT_FORMAT)
    return WorkResult(
        **_common(reading),
        line=reading.read("line", _line),
        key=reading.read("key", forms.public_key),
        signature=reading.read("signature", _short).encode("ascii"),
    )


def _common(reading: "_Reading") -> dict[str, Any]:
    return {
        "plan": reading.read("plan", _hexadecimal(64)),
        "job": reading.read("job", _hexadecimal(32)),
        "number": reading.read("number", forms.whole(0, MAX_JOBS - 1)),
        "round": reading.read("round", forms.whole(1, 100_000)),
        "vantage": reading.read("vantage", forms.name),
    }


def _encoded(told: Mapping[str, Any], most: int) -> bytes:
    octets = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    if len(octets) > most:
        raise WorkError("longer than {most} KiB", most=most >> 10)
    return octets


class _Reading:
    """One JSON object and its keys."""

    def __init__(self, octets: bytes, most: int, form: str) -> None:
        if octets.count(b",") > MAX_COMMAS:
            raise WorkError("more than {max_commas} values", max_commas=MAX_COMMAS)
        try:
            value = parse_json(octets, max_bytes=most)
        except UnreadableJSONError as exc:
            raise WorkError("no JSON that we take: {why}", why=exc) from None
        self._members = self._object(value, Wording("the message"))
        family = form.rpartition(".")[0] + "."
        if not self.read("format", _short).startswith(family):
            raise WorkError("format: not of {family}x", family=family)

    @staticmethod
    def _object(value: Any, name: str) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise WorkError("{name}: must be an object", name=name)
        return value

    def inner(self, key: str) -> "_Reading":
        """The object at a key."""
        reading = object.__new__(_Reading)
        reading._members = self._object(self._members.get(key, {}), key)
        return reading

    def read(self, key: str, reader: Callable[[Any], T], *default: T) -> T:
        """The value at a key, which may be missing only where there is a default."""
        if default and key not in self._members:
            return default[0]
        try:
            return reader(self._members.get(key))
        except FormError as exc:
            raise WorkError("{key}: {why}", key=key, why=exc) from None


def _hexadecimal(digits: int) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str) or len(value) != digits or value.strip("0123456789abcdef"):
            raise FormError("must be {digits} hexadecimal digits", digits=digits)
        return value

    return read


def _short(value: Any) -> str:
    if not isinstance(value, str) or not value.isascii() or len(value) > forms.MAX_TEXT:
        raise FormError("must be a text of at most {max_text} ASCII characters", max_text=forms.MAX_TEXT)
    return value


def _line(value: Any) -> bytes:
    if not isinstance(value, str) or not value or "\n" in value or "\r" in value:
        raise FormError("must be one line")
    return value.encode()


def _target(value: Any) -> Target:
    try:
        return parse_target(forms.text(value))
    except ValueError as exc:  # a FormError, too
        raise FormError("must be a target: {why}", why=exc) from None


def _or_none(reader: Callable[[Any], T]) -> Callable[[Any], T | None]:
    return lambda value: None if value is None else reader(value)


_OPTIONS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "profile": forms.one_of(*sorted(PROFILES)),
    "families": forms.list_of(forms.family, least=1),
    "follow_ups": forms.flag,
    "timeout": forms.number(0.1, 600),
    "max_addresses": forms.whole(1, 16),
    "benign": forms.list_of(forms.text),
    "concurrency": forms.whole(1, 10_000),
    "rate": _or_none(forms.number(MIN_RATE, 100_000)),
    "endpoint_gap": forms.number(0, MAX_GAP_S),
    "network_concurrency": forms.whole(1, 10_000),
    "as_concurrency": _or_none(forms.whole(1, 10_000)),
    "as_rate": _or_none(forms.number(MIN_RATE, 100_000)),
    "asn": _or_none(forms.network),
    "cc": _or_none(forms.country),
}
