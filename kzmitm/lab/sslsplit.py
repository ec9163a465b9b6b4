"""What the profiles with sslsplit share."""

from kzmitm.lab.laboratory import Lab


def proxy_specs(lab: Lab, profile: str, kind: str) -> list[str]:
    """Arguments that let sslsplit relay every site of a profile to its origin."""
    return [
        part
        for here, there in lab.relay(profile)
        for part in (kind, here.ip, str(here.port), there.ip, str(there.port))
    ]
