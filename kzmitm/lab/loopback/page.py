"""The page that an origin of the laboratory shows, in HTTP/1.1 and in as much of HTTP/2 as that takes."""

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""RFC 9113, 3.4."""
MAX_REQUEST = 65_536
"""Octets of a request that are looked at; browsers send a few hundred."""

DATA, HEADERS, SETTINGS = 0, 1, 4
ACK, END_STREAM, END_HEADERS = 1, 1, 4
STATUS_200 = b"\x88"
"""`:status: 200` in HPACK's static table (RFC 7541, appendix A)."""


def page(hostname: str) -> bytes:
    return (
        f"<!doctype html><title>{hostname}</title><p>This is {hostname}, a site of the laboratory.\n".encode()
    )


def respond(request: bytes, hostname: str) -> bytes | None:
    """The whole answer to a first request; None while it is not complete."""
    if request.startswith(PREFACE[: len(request)]):
        return _respond_http2(request, hostname)
    if b"\r\n\r\n" not in request and len(request) < MAX_REQUEST:
        return None
    body = page(hostname)
    head = (
        "HTTP/1.1 200 OK",
        "Content-Type: text/html",
        f"Content-Length: {len(body)}",
        "Connection: close",
        "\r\n",
    )
    return "\r\n".join(head).encode() + body


def _respond_http2(request: bytes, hostname: str) -> bytes | None:
    position = len(PREFACE)
    while position + 9 <= len(request):
        length = int.from_bytes(request[position : position + 3], "big")
        if request[position + 3] == HEADERS:
            stream = request[position + 5 : position + 9]
            return (
                _frame(SETTINGS)
                + _frame(SETTINGS, ACK)
                + _frame(HEADERS, END_HEADERS, stream, STATUS_200)
                + _frame(DATA, END_STREAM, stream, page(hostname))
            )
        position += 9 + length
    return None


def _frame(kind: int, flags: int = 0, stream: bytes = bytes(4), payload: bytes = b"") -> bytes:
    """RFC 9113, 4.1."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream + payload
