"""Serving the console on loopback until it is told to stop."""

import asyncio
import ipaddress
import re
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from kzmitm.errors import UsageError
from kzmitm.lab.console.desk import Desk
from kzmitm.lab.session import Session

if TYPE_CHECKING:
    import uvicorn

LOCALHOST = "localhost"
HOW_TO_GET = "pip install 'kzmitm[lab]'"

TICK_S = 0.1
"""How long it may take until a stop is seen, or a server that died."""
GRACE_S = 0.5
"""For answers under way; then connections are closed as they are, so that a stop takes less than a second."""
MAX_CONNECTIONS = 32
"""At once: a browser holds six, and only this computer's can come."""
MAX_HEAD = 16_384
"""Octets of the head of a request; a browser of today sends one thousand."""
BACKLOG = 16

_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}", re.ASCII)
"""What stays as it is in a URL; 16 characters of `secrets.token_urlsafe` are 96 bits."""


def serve(
    session: Session,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str,
    announce: Callable[[str], None],
    stop: threading.Event | None = None,
) -> None:
    """Serve the console at `http://HOST:PORT/TOKEN/` until `stop` is set or Ctrl-C is pressed; then return.

    `announce` gets the URL once the console answers. The session must stay up until this returns and is used
    by one thread only; a scan that is under way at the end goes on there until the session is taken down.
    Raises UsageError if Starlette or uvicorn is missing, or the address cannot be used.
    """
    _require_packages()
    if not _TOKEN.fullmatch(token):
        raise UsageError("the token of the console needs 16 to 128 letters, digits, - or _")
    listener = _listen(host, port)
    desk = Desk(session)
    try:
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        server = _server(desk, token, {f"{shown}:{port}", f"{LOCALHOST}:{port}"})
        desk.open()
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
        thread.start()
        announce(f"http://{shown}:{port}/{token}/")
        try:
            _wait(stop or threading.Event(), thread)
        except KeyboardInterrupt:
            pass  # the ordinary way to end it
        finally:
            desk.close()
            _end(server, thread)
    finally:
        listener.close()


def _require_packages() -> None:
    try:
        import starlette  # noqa: F401, PLC0415 - an extra, which everything else does without
        import uvicorn  # noqa: F401, PLC0415
    except ImportError as exc:
        raise UsageError("the console needs Starlette and uvicorn", hint=HOW_TO_GET) from exc


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket on loopback; raises UsageError."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == LOCALHOST else host)
    except ValueError as exc:
        raise UsageError(
            "not an address of this computer: {host}", hint="127.0.0.1 is one", host=repr(host[:60])
        ) from exc
    if not address.is_loopback:
        raise UsageError("the console is for this computer only", hint="leave the host at 127.0.0.1")
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((str(address), port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as exc:
        listener.close()
        raise UsageError(
            "the console cannot listen on {address} port {port}: {why}", address=address, port=port, why=exc
        ) from exc
    return listener


def _server(desk: Desk, token: str, hosts: set[str]) -> "uvicorn.Server":
    import uvicorn  # noqa: PLC0415 - see above

    from kzmitm.lab.console.app import console_app  # noqa: PLC0415 - needs Starlette

    return uvicorn.Server(
        uvicorn.Config(
            console_app(desk, token=token, hosts=hosts),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,  # would write down the token
            proxy_headers=False,
            server_header=False,
            date_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            h11_max_incomplete_event_size=MAX_HEAD,
        )
    )


def _wait(stop: threading.Event, thread: threading.Thread) -> None:
    while not stop.wait(TICK_S) and thread.is_alive():
        pass


def _end(server: "uvicorn.Server", thread: threading.Thread) -> None:
    server.should_exit = True
    thread.join(GRACE_S)
    server.force_exit = True
    thread.join(GRACE_S)
