"""What a browser shows of a page, and what it says of the connection."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_TEXT = 20_000
"""Characters of the visible text that are kept; a warning has 400."""

WARNINGS = ("ERR_CERT_", "ERR_SSL_")
"""How the errors begin for which Chromium warns of the connection (net/base/net_error_list.h)."""

LOOK = f"""({{
  url: location.href,
  title: document.title,
  text: document.body ? document.body.innerText.slice(0, {MAX_TEXT}) : "",
  error: location.protocol === "chrome-error:"
}})"""
"""JavaScript for what can be seen; works on warnings and error pages too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageState:
    """What a user sees after a visit. All text is the page's own: make it harmless before printing."""

    url: str
    """As it was asked for."""
    title: str
    text: str
    """The visible text, of a warning as well."""
    blocked: bool = False
    """True if a warning of the certificate stands in place of the page."""
    error: str | None = None
    """Chromium's word for the failure, such as ERR_CERT_AUTHORITY_INVALID; None if the page came."""
    security: str = "unknown"
    """Chromium's word for the connection, such as `secure` or `insecure-broken`."""
    issuer: str | None = None
    """Common name of who issued the leaf; None without a certificate."""
    subject: str | None = None


def page_state(
    url: str, failure: str | None, seen: Mapping[str, Any], security: Mapping[str, Any]
) -> PageState:
    """The state from what `LOOK` returned and the last `visibleSecurityState`."""
    error = failure.removeprefix("net::") if failure else None
    certificate = security.get("certificateSecurityState")
    if not isinstance(certificate, Mapping):
        certificate = {}
    refused = certificate.get("certificateNetworkError")
    if error is None and seen.get("error"):
        error = str(refused or "ERR_FAILED").removeprefix("net::")
    return PageState(
        url=url,
        title=str(seen.get("title", "")),
        text=str(seen.get("text", "")),
        blocked=bool(seen.get("error")) and error is not None and error.startswith(WARNINGS),
        error=error,
        security=str(security.get("securityState", "unknown")),
        issuer=certificate.get("issuer"),
        subject=certificate.get("subjectName"),
    )
