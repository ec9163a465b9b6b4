"""Host names as judging needs them: who is related to whom, and which are a state's own."""

import ipaddress

from kzmitm.model.target import is_ip

_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "go", "gob", "gov", "mil", "ne", "net", "or", "org"})
"""Labels under which two-letter registries register names: enough to tell operators apart."""

_COUNTRY_DOMAINS = {
    "KZ": frozenset({"kz", "xn--80ao21a"}),
    "RU": frozenset({"ru", "su", "xn--p1ai"}),
    "BY": frozenset({"by", "xn--90ais"}),
}
"""Country-code domains besides the plain code (IANA root zone database)."""

_GOVERNMENT_LABELS = frozenset({"gov", "egov", "mil", "government"})
"""Under a country's domain: gov.kz and mil.kz are reserved, egov.kz and government.kz the state's portals."""


def base_name(hostname: str) -> str:
    """What stands for the operator of a host: the registered name as far as labels tell, or the address."""
    if is_ip(hostname):
        return hostname
    labels = hostname.lower().rstrip(".").split(".")
    deep = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL
    return ".".join(labels[-3:] if deep else labels[-2:])


_STATE_DOMAINS = frozenset({"gov", "mil"})
"""Domains of one state's services (RFC 1480 and after)."""
_STATE_LABELS = frozenset({"egov", "go", "gob", "gouv", "gov", "govt", "gub", "gv", "mil"})
"""Labels under two-letter domains that are kept for services of the state: gov.br, go.kr, gob.mx, gouv.fr."""

_PREFIXES = {4: 16, 6: 32}
"""Leading bits by IP version: /32 is the least that RIPE allots of IPv6, /16 a guess at a big provider."""


def signed_together(hostname: str) -> str:
    """What stands for all hosts that may have one private authority, though different people run them.

    A state's services have a PKI of the state, which is public nowhere; addresses belong to a provider or to
    an inner network, and tell no operator. For the rest as `base_name`.
    """
    if is_ip(hostname):
        address = ipaddress.ip_address(hostname)
        if not address.is_global:
            return "inner"
        return str(ipaddress.ip_network(f"{address}/{_PREFIXES[address.version]}", strict=False))
    labels = hostname.lower().rstrip(".").split(".")
    if labels[-1] in _STATE_DOMAINS:
        return labels[-1]
    if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _STATE_LABELS:
        return ".".join(labels[-2:])
    return base_name(hostname)


def in_country(hostname: str, country: str | None) -> bool:
    """True if the host is under the country-code domain of `country` (ISO 3166-1 alpha-2)."""
    if country is None:
        return False
    top = hostname.lower().rstrip(".").rpartition(".")[2]
    return top in _COUNTRY_DOMAINS.get(country.upper(), frozenset({country.lower()}))


def is_government(hostname: str, country: str | None) -> bool:
    """True if the host is a state service of `country`, which may use the state's own PKI."""
    labels = hostname.lower().rstrip(".").split(".")
    return in_country(hostname, country) and len(labels) > 1 and labels[-2] in _GOVERNMENT_LABELS
