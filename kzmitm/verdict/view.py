"""One view of a measurement: named values for the rules, and no judgement.

A measurement holds several handshakes that ask for the target's name. Each is looked at for itself, with
the others as its contrast, so that a clean one never hides a forged one: `Facts` is such a view, and
`others` are the remaining views of the same measurement.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isnan

from kzmitm.model.certificate import Certificate
from kzmitm.model.failure import Failure
from kzmitm.model.local_trust import LocalTrust
from kzmitm.model.measurement import Measurement
from kzmitm.model.verdict import Forger
from kzmitm.pki.attribution import Attribution
from kzmitm.pki.kinds import INTERCEPTION_KINDS, Kind
from kzmitm.pki.relations import FieldRelations
from kzmitm.verdict.contrast import NO_CONTRAST, ContrastFacts
from kzmitm.verdict.control import NO_CONTROL, ControlFacts
from kzmitm.verdict.handshake import STRONG_MATCHES, HandshakeFacts, State
from kzmitm.verdict.names import base_name, in_country, is_government
from kzmitm.verdict.resolution import NOT_RESOLVED, AddressFacts, Resolution

CLOCK_TOLERANCE_S = 300
"""A clock that is off by less fails no certificate: CAs backdate by an hour, and witnesses have delays."""

_NO_ADDRESS = AddressFacts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One view of a measurement: `focus` is the handshake that it is about, None if there was none."""

    measurement: Measurement
    now: datetime
    registry_version: str
    store_version: str
    handshakes: tuple[HandshakeFacts, ...]
    """One per TLS observation of the measurement, in its order."""
    focus: HandshakeFacts | None
    others: tuple["Facts", ...] = ()
    contrast: ContrastFacts = NO_CONTRAST
    control: ControlFacts = NO_CONTROL
    resolved: Resolution = NOT_RESOLVED
    address: AddressFacts = _NO_ADDRESS
    genuine: tuple[Certificate, ...] = ()
    """Leaves of the name that are known to be genuine, from the control or from elsewhere here."""
    has_genuine_key: bool = False
    """The leaf's key is one of theirs, or the only one that the control sees: nobody here stands between."""
    lacks_intermediate: bool = False
    """The chain verifies with certificates that others had: it was only sent incomplete."""
    trusted_at_true_time: bool = False
    """The chain is fine at the time that independent witnesses tell."""
    copies_names: bool = False
    """Another key under the very names of a genuine leaf."""
    mints_names: bool = False
    """Its issuer makes certificates for whatever name is asked for."""
    relations: FieldRelations | None = None
    forgers: Mapping[bool | None, tuple[Forger, ...]] | None = None
    """Whose way of forging this is, by whether the key is shared between hosts (None: not known)."""

    @property
    def hostname(self) -> str:
        return self.measurement.target.hostname

    @property
    def asked_name(self) -> str:
        """The name that the certificate must be for: the one in the hello, where that is another."""
        return self.focus.hostname if self.focus is not None else self.hostname

    @property
    def state(self) -> State | None:
        return self.focus.state if self.focus is not None else None

    @property
    def is_plain(self) -> bool:
        """Trusted at the first handshake, with nothing to hold against it: most targets of most runs."""
        return (
            self.focus is not None
            and self.focus.state is State.TRUSTED
            and self.resolved is NOT_RESOLVED
            and self.control is NO_CONTROL
            and self.contrast is NO_CONTRAST
            and not self.focus.attributions
            and not self.others
        )

    @property
    def is_home_made(self) -> bool:
        """Shown by somebody without a public CA's key and the site's: forged, or the site's own fault."""
        focus = self.focus
        return (
            focus is not None
            and focus.is_forgeable
            and not self.lacks_intermediate
            and all(leaf.spki_sha256 != focus.spki_sha256 for leaf in self.genuine)
        )

    @property
    def is_forged(self) -> bool:
        """The same, and no control is shown it, too."""
        return self.is_home_made and not self.has_genuine_key

    @property
    def is_two_faced(self) -> bool:
        """At this very address a public CA's key vouches for the name as well, or any name gets a leaf."""
        contrast = self.contrast
        return bool(
            self.mints_names
            or contrast.genuine_here
            or contrast.repeat_is_genuine
            or contrast.other_hello_is_genuine
        )

    @property
    def is_operators_address(self) -> bool:
        """Another name at this address drew a trusted chain for this host or a sibling of its."""
        if self.contrast.genuine_here:
            return True
        base = base_name(self.hostname)
        return any(
            other.is_anchored and any(base_name(name) == base for name in other.chain[0].san_dns or ())
            for other in self.contrast.other_names
        )

    @property
    def local_trust(self) -> LocalTrust | None:
        """What the trust stores of this computer say of this very chain; None if they were not asked."""
        trust, focus = self.measurement.local_trust, self.focus
        if trust is None or focus is None or focus.state is not State.UNTRUSTED:
            return None
        return trust if trust.leaf_sha256 == focus.leaf_sha256 else None

    @property
    def local_root_class(self) -> str:
        """The class of the root that was added to this computer and vouches for the chain, "" if none is."""
        trust = self.local_trust
        return trust.root_class if trust is not None and trust.is_added else ""

    @property
    def attributions(self) -> tuple[Attribution, ...]:
        return self.focus.attributions if self.focus is not None else ()

    def bears(self, match: str) -> bool:
        """An interceptor is recognised by `match`; never on a service of its own state."""
        return any(
            a.authority.match == match
            and a.authority.kind in INTERCEPTION_KINDS
            and not is_government(self.asked_name, a.authority.country)
            for a in self.attributions
        )

    @property
    def forged_names(self) -> tuple[Attribution, ...]:
        """Known interception keys over leaves that this address showed for other names."""
        return tuple(
            attribution
            for other in self.contrast.other_names
            if other.state is State.UNTRUSTED
            for attribution in other.attributions
            if attribution.authority.kind in INTERCEPTION_KINDS
            and attribution.authority.match in STRONG_MATCHES
        )

    @property
    def state_pki(self) -> Attribution | None:
        """A state's e-signature PKI in an untrusted chain; also one that cannot be checked (GOST)."""
        if self.focus is None or not self.is_home_made:
            return None
        found = (*self.focus.attributions, *self.focus.stray_attributions)
        return next((a for a in found if a.authority.kind == Kind.STATE_PKI), None)

    @property
    def is_home_of_state_pki(self) -> bool:
        """The host is under the domain of the country whose state's PKI is in the chain."""
        attribution = self.state_pki
        return attribution is not None and in_country(self.asked_name, attribution.authority.country)

    @property
    def failures(self) -> tuple[str | None, ...]:
        """OONI's single string per TLS observation of the measurement."""
        return tuple(handshake.failure for handshake in self.handshakes)

    @property
    def tcp_failures(self) -> tuple[str, ...]:
        """Why connects failed; () if one was answered or none was tried."""
        tcp = self.measurement.tcp
        failures = tuple(o.failure for o in tcp if o.failure is not None)
        return failures if len(failures) == len(tcp) else ()

    @property
    def clock_is_off(self) -> bool | None:
        """Our clock disagrees with independent witnesses; None if none was asked."""
        offset = self.measurement.clock_offset_s
        return None if offset is None or isnan(offset) else abs(offset) > CLOCK_TOLERANCE_S

    @property
    def second_engine_agrees(self) -> bool | None:
        """OpenSSL saw the same leaf, or the same failure; None if it was not asked."""
        if self.focus is None:
            return None
        seen = [
            h
            for h in (*self.contrast.other_hellos, *self.contrast.repeats)
            if h.observation.hello.engine != self.focus.observation.hello.engine
        ]
        return any(_same_end(h, self.focus) for h in seen) if seen else None

    @property
    def is_interrupted(self) -> bool:
        """Ended by us, or by our own proxy: says nothing of the target."""
        own = (Failure.INTERRUPTED, Failure.PROXY_FAILED)
        return self.focus is not None and self.focus.observation.failure in own


def _same_end(one: HandshakeFacts, other: HandshakeFacts) -> bool:
    if one.chain or other.chain:
        return one.leaf_sha256 == other.leaf_sha256 and one.state is other.state
    return one.observation.failure == other.observation.failure


def views(facts: Facts) -> Iterable[Facts]:
    """The view itself, then the other views of the same measurement."""
    yield facts
    yield from facts.others
