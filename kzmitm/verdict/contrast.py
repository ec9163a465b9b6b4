"""What changes when one thing is changed: the name, the address, the hello, or nothing at all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kzmitm.model.certificate import Certificate
from kzmitm.model.observation import Role
from kzmitm.verdict.control import ControlFacts
from kzmitm.verdict.handshake import HandshakeFacts, Judging, State, validate


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastFacts:
    """The other handshakes as seen from one of them; empty where nothing else was tried.

    `benign`, `nonsense` and `nameless` (no SNI) are at the same address, `repeats` with the same hello,
    `other_hellos` at the same address with the same name, `other_addresses` with the same name elsewhere.
    """

    benign: tuple[HandshakeFacts, ...] = ()
    nonsense: tuple[HandshakeFacts, ...] = ()
    nameless: tuple[HandshakeFacts, ...] = ()
    repeats: tuple[HandshakeFacts, ...] = ()
    other_hellos: tuple[HandshakeFacts, ...] = ()
    other_addresses: tuple[HandshakeFacts, ...] = ()
    genuine_here: tuple[Certificate, ...] = ()
    """Leaves that are publicly trusted for the name and were shown at this address to any hello or SNI."""

    @property
    def other_names(self) -> tuple[HandshakeFacts, ...]:
        """The same address asked for something else."""
        return self.benign + self.nonsense + self.nameless

    @property
    def benign_is_genuine(self) -> bool:
        """A harmless name at this address draws a publicly trusted chain, and never an untrusted one.

        Whether it names that site is no matter: no server is bound to hold the benign site's certificate.
        """
        chains = [h for h in self.benign if h.chain]
        return bool(chains) and all(h.is_anchored for h in chains)

    @property
    def benign_is_answered(self) -> bool:
        """A harmless name at this address draws an answer in TLS."""
        return any(h.is_answered for h in self.benign)

    @property
    def benign_fails(self) -> bool:
        """A harmless name at this address was tried and draws no answer either."""
        return bool(self.benign) and not self.benign_is_answered

    @property
    def repeat_is_genuine(self) -> bool:
        return any(h.state is State.TRUSTED for h in self.repeats)

    @property
    def other_hello_is_genuine(self) -> bool:
        return any(h.state is State.TRUSTED for h in self.other_hellos)

    @property
    def other_address_is_genuine(self) -> bool:
        return any(h.state is State.TRUSTED for h in self.other_addresses)


NO_CONTRAST = ContrastFacts()


def contrast_facts(
    focus: HandshakeFacts, handshakes: Sequence[HandshakeFacts], judging: Judging
) -> ContrastFacts:
    """The contrast of `focus` to the other handshakes of its measurement."""
    seen = focus.observation
    near = [h for h in handshakes if h is not focus and h.observation.endpoint == seen.endpoint]
    far = [h for h in handshakes if h.observation.endpoint != seen.endpoint]
    by_role: dict[Role, list[HandshakeFacts]] = {}
    for handshake in near:
        by_role.setdefault(_relative_role(handshake, focus), []).append(handshake)
    same_name = (Role.FIRST, Role.REPEAT, Role.OTHER_ADDRESS, Role.OTHER_HELLO)

    def of(role: Role) -> tuple[HandshakeFacts, ...]:
        return tuple(by_role.get(role, ()))

    return ContrastFacts(
        benign=of(Role.BENIGN_SNI),
        nonsense=of(Role.NONSENSE_SNI),
        nameless=of(Role.NO_SNI),
        repeats=of(Role.REPEAT),
        other_hellos=of(Role.OTHER_HELLO),
        other_addresses=tuple(h for h in far if h.observation.role in same_name),
        genuine_here=tuple(_genuine(near, focus.hostname, judging)),
    )


def _relative_role(handshake: HandshakeFacts, focus: HandshakeFacts) -> Role:
    """FIRST, REPEAT, OTHER_ADDRESS and OTHER_HELLO are relative: from here the same hello is a repeat."""
    role = handshake.observation.role
    if role in (Role.BENIGN_SNI, Role.NONSENSE_SNI, Role.NO_SNI, Role.CONTROL):
        return role
    mine, theirs = focus.observation.hello, handshake.observation.hello
    same = (mine.profile, mine.engine, mine.split) == (theirs.profile, theirs.engine, theirs.split)
    return Role.REPEAT if same else Role.OTHER_HELLO


def _genuine(near: Iterable[HandshakeFacts], hostname: str, judging: Judging) -> Iterable[Certificate]:
    """Leaves among `near` that are trusted for `hostname`, whatever name they were asked with."""
    for handshake in near:
        if handshake.observation.role is Role.CONTROL or not handshake.is_anchored:
            continue
        known = handshake.state is State.TRUSTED and handshake.hostname == hostname
        if known or validate(handshake.chain, judging, hostname=hostname).trusted:
            yield handshake.chain[0]


def minted_for_other_names(focus: HandshakeFacts, contrast: ContrastFacts) -> bool:
    """The issuer of this leaf (`focus` has a chain) also signs, here, for names that this server cannot own.

    A benign site lives elsewhere and has a public certificate; the nonsense name exists nowhere. A leaf
    for either, by the same issuer, is made on demand.
    """
    leaf = focus.chain[0]
    return any(
        other.is_forgeable
        and other.covers_host
        and other.chain[0].sha256 != leaf.sha256
        and other.chain[0].issuer.der == leaf.issuer.der
        for other in contrast.benign + contrast.nonsense
    )


def genuine_leaves(contrast: ContrastFacts, control: ControlFacts) -> tuple[Certificate, ...]:
    """Every leaf of the name that is known to be genuine, the best witness first, each once."""
    others = (*contrast.repeats, *contrast.other_hellos, *contrast.other_addresses)
    seen = [h.chain[0] for h in others if h.state is State.TRUSTED]
    return tuple({c.sha256: c for c in (*control.genuine, *contrast.genuine_here, *seen)}.values())


def copies_names(forged: Certificate, genuine: Certificate) -> bool:
    """The two name the same hosts, and their subjects are the same: what a forger copies."""
    mine, theirs = set(forged.san_dns or ()), set(genuine.san_dns or ())
    return mine == theirs and bool(mine) and forged.subject.der == genuine.subject.der
