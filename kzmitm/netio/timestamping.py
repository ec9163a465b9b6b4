"""One request to a time-stamping authority over HTTP (RFC 3161, 3.4): a hash goes out, a token comes back.

What the answer is worth is not found out here: it is signed, and TLS to the authority adds nothing to that.
"""

import queue
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kzmitm.errors import KzmitmError, UsageError
from kzmitm.netio.failures import classify, innermost
from kzmitm.wording import Wording

if TYPE_CHECKING:
    import httpx

MAX_RESPONSE = 64 << 10
"""Octets of an answer: what may be attached to a bundle, ten times what authorities send."""

QUERY = "application/timestamp-query"
REPLY = "application/timestamp-reply"
"""RFC 3161, 3.4."""


class AuthorityError(KzmitmError):
    """The authority could not be asked, or did not answer with a timestamp; may hold text of a stranger."""

    hint = Wording("try again, or another authority")
    failure = ""
    """What the network did, if it was its doing: the authority's host is all that the words add."""


def parse_authority(url: str) -> str:
    """The host of an authority's URL, in lower case; raises UsageError for what is none."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.port != 0 and not parts.username
    except ValueError:
        usable = False
    if not usable or not parts.hostname or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError(
            "not the address of a time-stamping authority: {url}",
            hint="give its URL: http://tsa.example.org/",
            url=repr(url[:100]),
        )
    return parts.hostname


def fetch_token(url: str, request_der: bytes, *, timeout_s: float) -> bytes:
    """The answer to a TimeStampReq, at most `MAX_RESPONSE` octets, after at most `timeout_s` seconds.

    Goes through the proxy that the environment names, as people who hide their address expect. Raises
    UsageError for a URL that is none, AuthorityError for everything that the network or the authority does.
    """
    host = parse_authority(url)
    answers: queue.SimpleQueue[bytes | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(_post(url, request_der, timeout_s))
        except Exception as exc:  # noqa: BLE001 - raised again by whoever waits
            answers.put(exc)

    # A thread, since neither a silent resolver nor an answer that drips for ever can be cut short otherwise.
    threading.Thread(target=ask, name="time-stamp", daemon=True).start()
    try:
        answer = answers.get(timeout=timeout_s)
    except queue.Empty:
        raise AuthorityError(
            "{host}: no timestamp within {timeout_s} s", host=host, timeout_s=f"{timeout_s:g}"
        ) from None
    if isinstance(answer, AuthorityError):
        raise AuthorityError("{host}: {answer}", hint=answer.hint, host=host, answer=answer) from answer
    if isinstance(answer, Exception):
        error = AuthorityError("{host}: {answer}", host=host, answer=classify(innermost(answer)))
        error.failure = classify(innermost(answer))
        raise error from answer
    return answer


def _post(url: str, request_der: bytes, timeout_s: float) -> bytes:
    import httpx  # noqa: PLC0415 - a tenth of a second that no other verb pays

    # No user agent: which program asks is nobody's business. No compression: what is limited is what is read.
    headers = {"content-type": QUERY, "accept": REPLY, "accept-encoding": "identity", "connection": "close"}
    with httpx.Client(timeout=timeout_s, follow_redirects=False) as client:
        del client.headers["user-agent"]
        with client.stream("POST", url, content=request_der, headers=headers) as response:
            _check_head(response)
            return _read(response)


def _check_head(response: "httpx.Response") -> None:
    if response.is_redirect:
        raise AuthorityError(
            "it sends us on to {headers}",
            hint="give that address if you trust it",
            headers=response.headers["location"][:200],
        )
    if response.status_code != 200:
        raise AuthorityError("it answers with HTTP status {status_code}", status_code=response.status_code)
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != REPLY or response.headers.get("content-encoding", "identity").lower() != "identity":
        raise AuthorityError(
            "its answer is no timestamp, but {kind}", kind=kind[:100] or Wording("of no type")
        )


def _read(response: "httpx.Response") -> bytes:
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > MAX_RESPONSE:
            raise AuthorityError(
                "its answer is longer than {max_response} KiB", max_response=MAX_RESPONSE >> 10
            )
    if not body:
        raise AuthorityError("its answer is empty")
    return bytes(body)
