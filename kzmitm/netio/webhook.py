"""Posting a document to a web address that the user named."""

from kzmitm.netio.failures import innermost

TIMEOUT_S = 15.0


async def post(url: str, octets: bytes) -> str:
    """Post JSON; "" if the server took it, else why not, without the address, which may hold a secret."""
    import httpx  # noqa: PLC0415 - a tenth of a second that campaigns without one do not pay

    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False, follow_redirects=False) as client:
            response = await client.post(url, content=octets, headers={"Content-Type": "application/json"})
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as exc:
        return f"webhook: {innermost(exc).__class__.__name__}"
    return "" if response.is_success else f"webhook: HTTP {response.status_code}"
