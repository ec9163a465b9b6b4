"""The kinds of authority in the registry, and whose interceptor each kind means."""

from collections.abc import Mapping
from enum import StrEnum

from kzmitm.model.verdict import Scope


class Kind(StrEnum):
    """What an authority is. Kinds stay apart: a state PKI is a capability, an interception root is a fact."""

    STATE_INTERCEPTION = "state_interception"
    """Made to forge certificates, by or for a state."""
    STATE_PKI = "state_pki"
    """A state's PKI for signatures or services; not known to intercept."""
    INCIDENT_CA = "incident_ca"
    """An authority or a key that was misused, or whose private key is public."""
    COMMERCIAL_MIDDLEBOX = "commercial_middlebox"
    ANTIVIRUS = "antivirus"
    DEVELOPER_PROXY = "developer_proxy"
    """An interception tool that its user runs, or a test certificate."""
    ISP_INTERCEPTION = "isp_interception"
    ADWARE = "adware"
    ORIGIN_CA = "origin_ca"
    """Signs for servers behind a delivery network, which is alone in trusting it."""
    TEST_CA = "test_ca"
    """A public authority's second one, for trying things out; its keys are kept as a secret all the same."""
    FORMER_CA = "former_ca"
    """Was in a public programme, which dropped it."""


SCOPES: Mapping[str, Scope] = {
    Kind.STATE_INTERCEPTION: Scope.STATE,
    Kind.STATE_PKI: Scope.STATE,
    Kind.INCIDENT_CA: Scope.UNKNOWN,
    Kind.COMMERCIAL_MIDDLEBOX: Scope.MIDDLEBOX,
    Kind.ANTIVIRUS: Scope.LOCAL,
    Kind.DEVELOPER_PROXY: Scope.LOCAL,
    Kind.ISP_INTERCEPTION: Scope.ISP,
    Kind.ADWARE: Scope.LOCAL,
    Kind.ORIGIN_CA: Scope.UNKNOWN,
    Kind.TEST_CA: Scope.UNKNOWN,
    Kind.FORMER_CA: Scope.UNKNOWN,
}
"""Whose interceptor it is, were it one. An incident's key may be in anybody's hands, hence UNKNOWN."""

CARRIERS = frozenset({Kind.STATE_INTERCEPTION, Kind.ISP_INTERCEPTION})
"""Who intercepts in the network itself; all others do it on one computer or in one company."""

HARMLESS_KINDS = frozenset({Kind.ORIGIN_CA, Kind.TEST_CA, Kind.FORMER_CA})
"""Kinds that no browser trusts and that sign for sites all the same, at the wish of who runs these."""

INTERCEPTION_KINDS = frozenset(Kind) - {Kind.STATE_PKI} - HARMLESS_KINDS
"""Kinds whose certificate in a chain means interception; a state PKI also signs services of its own."""


def scope_of(kind: str) -> Scope:
    """The scope of a registry kind; UNKNOWN for one that this version does not know."""
    return SCOPES.get(kind, Scope.UNKNOWN)
