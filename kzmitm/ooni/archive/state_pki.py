"""A state's PKI for signatures, where no site of that state can have asked for it."""

from kzmitm.model.target import is_ip
from kzmitm.ooni.archive.cases import Case
from kzmitm.ooni.archive.failures import Kind
from kzmitm.pki.attribution import Attribution
from kzmitm.pki.kinds import Kind as AuthorityKind
from kzmitm.verdict.handshake import STRONG_MATCHES
from kzmitm.verdict.names import in_country


def state_pki_of(case: Case) -> Attribution | None:
    """The state's PKI that signed for a host outside the domain of its country, by a key; None if none did.

    An address is in no country's domain, and at an inner one a name is led astray, whoever signed for it.
    """
    if case.kind is not Kind.CERTIFICATE or not case.is_for_host or case.situation.private:
        return None
    for one in case.attributions:
        authority = one.authority
        if authority.kind == AuthorityKind.STATE_PKI and authority.match in STRONG_MATCHES:
            at_home = in_country(case.hostname, authority.country) or is_ip(case.hostname)
            return None if at_home else one
    return None
