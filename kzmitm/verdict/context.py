"""What the other targets of a run show, in bounded memory and constant time per clean target."""

from collections.abc import Iterator

from kzmitm.model.certificate import Certificate
from kzmitm.model.failure import Failure
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import Role
from kzmitm.model.target import is_ip
from kzmitm.verdict.facts import Facts, views
from kzmitm.verdict.handshake import HandshakeFacts, State
from kzmitm.verdict.names import base_name, signed_together
from kzmitm.verdict.resolution import is_private

MAX_KEYS = 2_000
"""Leaves, keys, issuers and addresses remembered each. A few hundred bytes apiece."""
MAX_NAMES = 8
"""Hosts remembered per entry: the rules ask for three."""
MIN_HOSTS = 3
"""Hosts of different operators that must agree before a run says something about each of them."""
TIME_FAILURE_SHARE = 0.8
"""Of hosts with a chain that must fail by time alone before our clock is blamed. Chosen, not measured:
single hosts expire all the time, a wrong clock fails nearly all (Acer et al., CCS 2017)."""

WALLED_GARDEN = 8
"""Hosts with a chain for each that is fine, from where on a portal is thought of. Chosen, not measured."""

SILENCES = frozenset(
    {Failure.NETWORK_UNREACHABLE, Failure.HOST_UNREACHABLE, Failure.GENERIC_TIMEOUT, Failure.DNS_TEMPORARY}
)
"""What a computer sees that is connected to nothing."""

_ANY = "any"
"""The one key of what is counted over the whole run."""


class _Witnesses:
    """Key -> the few distinct names it was seen with; drops the oldest key of one name when full.

    A long run meets thousands of keys once, which must not cost what was met several times.
    """

    __slots__ = ("_lone", "_names")

    def __init__(self) -> None:
        self._names: dict[object, list[str]] = {}
        self._lone: dict[object, None] = {}
        """The keys of one name, the oldest first."""

    def add(self, key: object, name: str) -> None:
        names = self._names.get(key)
        if names is None:
            if len(self._names) >= MAX_KEYS:
                oldest = next(iter(self._lone or self._names))
                self._lone.pop(oldest, None)
                del self._names[oldest]
            self._names[key] = [name]
            self._lone[key] = None
        elif len(names) < MAX_NAMES and name not in names:
            names.append(name)
            self._lone.pop(key, None)

    def count(self, key: object) -> int:
        return len(self._names.get(key, ()))

    @property
    def size(self) -> int:
        return len(self._names)


class RunContext:
    """Counts over the targets of one run that went before, this one included once it was added.

    Hosts of one operator count once (`base_name`), for an issuer or a key also those of one state or
    provider (`signed_together`). Only suspicious targets leave more than a count.
    """

    def __init__(self) -> None:
        self.targets = 0
        self.trusted = 0
        """Targets with a handshake that was trusted for their name."""
        self.with_chain = 0
        self.time_failures = 0
        """Targets whose chain fails by time alone."""
        self._bases_by_leaf = _Witnesses()
        self._addresses_by_leaf = _Witnesses()
        self._bases_by_address = _Witnesses()
        self._bases_by_issuer = _Witnesses()
        self._bases_by_maker = _Witnesses()
        self._bases_by_key = _Witnesses()
        self._hosts_by_key = _Witnesses()
        self._leaves_by_key = _Witnesses()
        self._fine_at_private = _Witnesses()
        self._answered = False
        self._heard = False
        self._silent = _Witnesses()

    def add(self, facts: Facts) -> None:
        """Count a target; call it once per target."""
        self._notice_private(facts)
        if facts.is_plain:
            self.add_plain()
            return
        self.targets += 1
        self._listen(facts)
        states = {view.state for view in views(facts)}
        self.trusted += State.TRUSTED in states
        self.with_chain += any(h.chain for h in _local(facts))
        self.time_failures += any(v.focus is not None and v.focus.fails_by_time_only for v in views(facts))
        for view in views(facts):
            if view.focus is not None and view.focus.state is State.UNTRUSTED:
                self._remember(view, view.focus)

    def add_plain(self) -> None:
        """Count a target of which nothing else is to be remembered: trusted, with nothing odd about it."""
        self.targets += 1
        self.trusted += 1
        self.with_chain += 1
        self._answered = True

    def _notice_private(self, facts: Facts) -> None:
        """Note a site that is genuine at an inner address which a resolver gave for it."""
        target = facts.measurement.target
        if target.address is not None or is_ip(target.hostname):
            return
        for handshake in _local(facts):
            ip = handshake.observation.endpoint.ip
            if handshake.state is State.TRUSTED and is_ip(ip) and is_private(ip):
                self._fine_at_private.add(_ANY, base_name(target.hostname))

    def _listen(self, facts: Facts) -> None:
        """Note whether a certificate came from anywhere here, under whatever name and by whatever hello.

        A mere alert does not count: it is small enough for a hole that swallows every certificate.
        """
        self._heard = self._heard or _hears_something(facts.measurement)
        if any(h.chain for h in _local(facts)):
            self._answered = True
        elif facts.measurement.tcp or facts.handshakes:
            self._silent.add(_ANY, base_name(facts.hostname))

    def _remember(self, view: Facts, focus: HandshakeFacts) -> None:
        leaf, base = focus.chain[0], base_name(focus.hostname)
        ip = focus.observation.endpoint.ip
        if not focus.covers_host:
            self._bases_by_leaf.add(leaf.sha256, base)
            self._addresses_by_leaf.add(leaf.sha256, ip)
            if not view.address.is_given:
                self._bases_by_address.add(ip, base)
        if not view.is_home_made or focus.harmless is not None:
            return
        together = signed_together(focus.hostname)
        if focus.covers_host:
            self._bases_by_maker.add(issuer_key(leaf), together)
        if not view.is_forged:
            return
        if focus.covers_host:
            self._bases_by_issuer.add(issuer_key(leaf), together)
        key = leaf.spki_sha256
        # One leaf that strays to other hosts, as a box's default does, is not a key that it gives to many.
        if key is not None and focus.covers_host:
            self._hosts_by_key.add(key, focus.hostname)
            self._bases_by_key.add(key, together)
            self._leaves_by_key.add(key, leaf.sha256)

    def hosts_misnamed_by(self, leaf_sha256: str) -> int:
        """Unrelated hosts that showed this very leaf, which names none of them."""
        return self._bases_by_leaf.count(leaf_sha256)

    def addresses_of(self, leaf_sha256: str) -> int:
        """Distinct addresses that showed this leaf to hosts it does not name."""
        return self._addresses_by_leaf.count(leaf_sha256)

    def hosts_misnamed_at(self, ip: str) -> int:
        """Unrelated hosts that a resolver sent to this address, where a certificate names someone else."""
        return self._bases_by_address.count(ip)

    def hosts_signed_by(self, leaf: Certificate) -> int:
        """Unrelated hosts for which the leaf's issuer, which no public CA vouches for, signs leaves."""
        return self._bases_by_issuer.count(issuer_key(leaf))

    def hosts_made_by(self, leaf: Certificate) -> int:
        """The same, those included of which a control is shown the same."""
        return self._bases_by_maker.count(issuer_key(leaf))

    def hosts_with_key(self, spki_sha256: str) -> int:
        """Unrelated hosts named by different untrusted leaves that share this key."""
        if self._leaves_by_key.count(spki_sha256) < 2:
            return 0
        return self._bases_by_key.count(spki_sha256)

    def shares_key(self, spki_sha256: str | None) -> bool | None:
        """True if other hosts showed the same key, False if they showed other keys; None: too few hosts."""
        if spki_sha256 is None:
            return None
        if self._hosts_by_key.count(spki_sha256) > 1:
            return True
        return False if self._hosts_by_key.size > 1 else None

    @property
    def is_cut_off(self) -> bool:
        """Unrelated hosts were tried, and no certificate came from anywhere, under any name."""
        return not self._answered and self._silent.count(_ANY) >= MIN_HOSTS

    @property
    def is_off_line(self) -> bool:
        """Nobody answered anything so far: no resolver, not even with a denial, no address and no server."""
        return not (self._answered or self._heard)

    @property
    def hardly_any_is_fine(self) -> bool:
        """No host is trusted, or one of many: portals let a few through, such as who takes the payment."""
        return self.trusted * WALLED_GARDEN <= self.with_chain

    @property
    def private_is_usual(self) -> bool:
        """Unrelated sites are genuine at inner addresses: programs for circumvention resolve names so.

        They hand out an address of 198.18.0.0/15 for each name, and lead connections to it where they should.
        """
        return self._fine_at_private.count(_ANY) >= MIN_HOSTS

    @property
    def fails_by_time(self) -> bool:
        """Nearly every host of the run fails by time alone: our clock, not the hosts."""
        return self.time_failures >= MIN_HOSTS and self.time_failures >= TIME_FAILURE_SHARE * self.with_chain


def _hears_something(measurement: Measurement) -> bool:
    """A resolver, an address or a server answered, with whatever it was."""
    if measurement.tls:
        return True
    failures = [*(o.failure for o in measurement.dns), *(o.failure for o in measurement.tcp)]
    return any(failure not in SILENCES for failure in failures)


def _local(facts: Facts) -> Iterator[HandshakeFacts]:
    """The handshakes that were made from here."""
    return (h for h in facts.handshakes if h.observation.role is not Role.CONTROL)


def issuer_key(leaf: Certificate) -> tuple[bytes, bytes | None]:
    """What stands for the issuer of a leaf, whether or not its certificate was sent."""
    return leaf.issuer.der, leaf.authority_key_id
