"""Which handshakes would tell more about a suspicious target. Pure planning; `scan` makes them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kzmitm.model.observation import Role
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.handshake import HandshakeFacts, State
from kzmitm.verdict.labels import NETWORK_CUTS
from kzmitm.verdict.names import base_name

MAX_FOLLOW_UPS = 8
"""Connections per suspicious target: enough for every contrast once, few enough to be polite."""
MAX_OTHER_ADDRESSES = 2

_BROWSER, _LEGACY = "browser", "legacy"


@dataclass(frozen=True, slots=True)
class FollowUp:
    """One more handshake: `sni` None for no server_name; `address` None for the address of the first one."""

    role: Role
    sni: str | None
    profile: str
    address: str | None = None
    engine: str = "kzmitm"


def needs_follow_up(facts: Facts) -> bool:
    """True if a handshake was made that is not trusted and that nothing else has settled yet."""
    focus = facts.focus
    return focus is not None and focus.state is not State.TRUSTED and not facts.is_interrupted


def plan_follow_ups(facts: Facts, *, benign_sni: Sequence[str], nonsense_sni: str) -> tuple[FollowUp, ...]:
    """The follow-ups of a target in the order to make them; () for one that is fine.

    `benign_sni` are names of control sites, of which the first that is not the target's own is taken;
    `nonsense_sni` is a random name under a reserved suffix. Contrasts come before the repeat, so that
    blocking that lingers after a trigger cannot pass for a dead server.
    """
    focus = facts.focus
    if focus is None or not needs_follow_up(facts):
        return ()
    profile = focus.observation.hello.profile
    plan = [
        *_other_names(facts, profile, benign_sni, nonsense_sni),
        *(
            FollowUp(Role.OTHER_ADDRESS, focus.observation.sni, profile, ip)
            for ip in _other_addresses(facts, focus)[:MAX_OTHER_ADDRESSES]
        ),
        *_other_hellos(focus, profile),
    ]
    repeat = FollowUp(Role.REPEAT, focus.observation.sni, profile)
    return (*plan[: MAX_FOLLOW_UPS - 1], repeat)


def _other_names(
    facts: Facts, profile: str, benign_sni: Sequence[str], nonsense_sni: str
) -> Iterator[FollowUp]:
    own = base_name(facts.hostname)
    benign = next((name for name in benign_sni if base_name(name) != own), None)
    if benign is not None:
        yield FollowUp(Role.BENIGN_SNI, benign, profile)
    yield FollowUp(Role.NONSENSE_SNI, nonsense_sni, profile)
    if facts.focus is not None and facts.focus.observation.sni is not None:
        yield FollowUp(Role.NO_SNI, None, profile)


def _other_addresses(facts: Facts, focus: HandshakeFacts) -> list[str]:
    """Addresses of the name that were not asked yet: an encrypted resolver's first, then the control's.

    None if the user fixed the address.
    """
    if facts.address.is_given:
        return []
    asked = {h.observation.endpoint.ip for h in facts.handshakes} | {focus.observation.endpoint.ip}
    asked |= {o.endpoint.ip for o in facts.measurement.tcp if o.failure is not None}
    resolved = facts.resolved
    known = (sorted(resolved.doh_ips), sorted(facts.control.ips), sorted(resolved.system_ips))
    return [ip for ip in dict.fromkeys(ip for ips in known for ip in ips) if ip not in asked]


def _other_hellos(focus: HandshakeFacts, profile: str) -> Iterator[FollowUp]:
    """Another profile: the browser's size evades filters, the legacy one speaks with weak boxes.

    Where the protocol failed, OpenSSL is the witness that it is not our own engine.
    """
    sni = focus.observation.sni
    cut = focus.observation.failure in NETWORK_CUTS
    if (focus.chain or cut) and profile != _BROWSER:
        yield FollowUp(Role.OTHER_HELLO, sni, _BROWSER)
    if not focus.chain and profile != _LEGACY:
        yield FollowUp(Role.OTHER_HELLO, sni, _LEGACY)
    if focus.state is State.UNPROVEN or (not focus.chain and not cut):
        yield FollowUp(Role.OTHER_HELLO, sni, profile, None, "openssl")
