"""What stands before the console: only the page that knows the token, on this computer, gets any further.

Loopback alone keeps nobody out: every page in every browser of this computer can send requests to it, and a
name that resolves to 127.0.0.1 makes it same-origin (DNS rebinding). Hence the Host, the token, the Origin.
"""

import secrets
from collections.abc import Collection, Mapping

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kzmitm.lab.console.page import policy
from kzmitm.report.language import _

SAFE_METHODS = frozenset({"GET", "HEAD"})
JSON_TYPE = "application/json"
"""A form of another site cannot send it without asking first (Fetch, CORS-safelisted request-header)."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": policy(),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every response. The token is part of the address, so that no referrer may tell it."""


class Guard:
    """Refuses what is not the console's own page, and puts HEADERS on whatever is answered."""

    def __init__(self, app: ASGIApp, *, token: str, hosts: Collection[str]) -> None:
        """`hosts` are the values of Host (RFC 9110, 7.2) under which the console may be called."""
        self._app = app
        self._token = token.encode()
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", ()), *extra]
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        """What is answered in place of the console; None if it may answer."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if headers.get("host", "") not in self._hosts:
            return PlainTextResponse(_("This is not the address of the console.\n"), 403)
        token = scope["path"].partition("/")[2].partition("/")[0]
        if not secrets.compare_digest(token.encode("utf-8", "replace"), self._token):
            return PlainTextResponse(_("There is nothing here.\n"), 404)
        if scope["method"] in SAFE_METHODS:
            return None
        if not _is_own(headers):
            return line(_("Only the console's own page may order."), 403)
        if headers.get("content-type", "").partition(";")[0].strip().lower() != JSON_TYPE:
            return line(_("An order is {json_type}.").format(json_type=JSON_TYPE), 415)
        return None


def _is_own(headers: Mapping[str, str]) -> bool:
    """True if the request comes from a page of the console itself; every browser of today says where from."""
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    return headers.get("origin") == f"http://{headers['host']}"


def line(text: str, status: int) -> JSONResponse:
    """A response that the page shows as one line."""
    return JSONResponse({"error": text}, status)
