"""Protocol versions on the wire and as OONI spells them (df-006)."""

TLS10 = 0x0301
TLS11 = 0x0302
TLS12 = 0x0303
TLS13 = 0x0304

VERSIONS: dict[int, str] = {
    0x0300: "SSLv3",
    TLS10: "TLSv1",
    TLS11: "TLSv1.1",
    TLS12: "TLSv1.2",
    TLS13: "TLSv1.3",
}


def version_name(number: int) -> str:
    """OONI's spelling, or `TLS_VERSION_UNKNOWN_<n>`."""
    return VERSIONS.get(number) or f"TLS_VERSION_UNKNOWN_{number}"
