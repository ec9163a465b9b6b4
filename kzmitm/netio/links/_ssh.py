"""The link over an ssh connection: its channels (direct-tcpip; RFC 4254, 7.2) as sockets."""

import asyncio
import errno
import socket
import struct
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import asyncssh

from kzmitm.model.failure import Failure
from kzmitm.model.target import Endpoint, Vantage
from kzmitm.netio.links._ssh_bridge import Bridge
from kzmitm.netio.links._ssh_login import KEEPALIVE_S, Login, SSHAddress, log_in
from kzmitm.netio.vantage import Blame, DownError, ProxyError, VantageLink
from kzmitm.wording import Wording

RETRY_S = 2.0
"""After a login has failed, how long all are told so: a thousand targets must not ask a thousand times."""

ROUND_TRIP_S = 1.5
"""Allowed to the answer of a keepalive."""

_BROKE_OFF = Wording("the ssh connection broke off")

_FAR_FAILURES = {
    "connection refused": errno.ECONNREFUSED,
    "no route to host": errno.EHOSTUNREACH,
    "network is unreachable": errno.ENETUNREACH,
    "connection timed out": errno.ETIMEDOUT,
    "connection reset by peer": errno.ECONNRESET,
}
"""What OpenSSH says of a connect that failed: strerror(3) in the C locale (channels.c)."""
_FAR_NAMES = {
    "name or service not known": socket.EAI_NONAME,
    "nodename nor servname provided, or not known": socket.EAI_NONAME,
    "no address associated with hostname": socket.EAI_NONAME,
    "temporary failure in name resolution": socket.EAI_AGAIN,
}
"""The same of a name: gai_strerror(3)."""

_CLOSED = "SSH connection closed"
"""What asyncssh itself says to channels that were being opened when the connection ended."""

_LAST_DATA_RECEIVED = 52
"""Offset of tcpi_last_data_recv, in milliseconds (linux/tcp.h)."""


@dataclass(slots=True)
class _State:
    """What changes of a link."""

    login: Login | None = None
    logging_in: asyncio.Task[Login] | None = None
    losses: int = 0
    """How many connections have ended."""
    failure: ProxyError | None = None
    failed_at: float = 0.0


@dataclass(frozen=True, slots=True, repr=False)
class SSHLink(VantageLink):
    """Channels of one connection to an ssh server."""

    vantage: Vantage
    address: SSHAddress
    retry_s: float = RETRY_S
    silence_s: float = KEEPALIVE_S + ROUND_TRIP_S
    """After so much silence the server is taken for dead; its answers to keepalives come more often."""
    _state: _State = field(default_factory=_State, init=False)

    def __repr__(self) -> str:
        return f"SSHLink({self.vantage!r})"

    async def ready(self) -> None:
        """Log in; raises ProxyError with a reason."""
        await self._logged_in()

    async def connect(self, endpoint: Endpoint, timeout_s: float) -> socket.socket:
        """A socket whose octets go to `endpoint` and back.

        Raises OSError for what the server says of the target, TimeoutError if that keeps silent while the
        server does not, and ProxyError for everything else. If the connection has died, a new one is made,
        once.
        """
        try:
            async with asyncio.timeout(timeout_s):
                try:
                    return await self._open(endpoint)
                except _LostError:
                    return await self._open(endpoint)
        except _LostError:
            raise DownError(_BROKE_OFF) from None
        except TimeoutError:
            if self._is_silent():
                raise DownError("the ssh server does not answer") from None
            raise

    async def _open(self, endpoint: Endpoint) -> socket.socket:
        login = await self._logged_in()
        losses = self._state.losses
        bridge = Bridge()
        opening = asyncio.ensure_future(
            login.connection.create_connection(lambda: bridge, endpoint.ip, endpoint.port)
        )
        try:
            # Not cancelled with us: the server would open the channel all the same, and nobody close it.
            await asyncio.shield(opening)
        except asyncssh.ChannelOpenError as exc:
            bridge.abandon()
            if self._state.losses == losses and exc.reason != _CLOSED:
                raise _told_by_server(exc) from None
            self._forget(login)
            raise _LostError from None
        except (asyncssh.Error, OSError):
            bridge.abandon()
            self._forget(login)
            raise _LostError from None
        except BaseException:
            bridge.abandon()
            opening.add_done_callback(_never_mind)
            raise
        return bridge.outer

    async def _logged_in(self) -> Login:
        """The connection, made if there is none; all who ask meanwhile wait for the same one."""
        state = self._state
        if state.login is not None:
            return state.login
        if state.failure is not None and monotonic() - state.failed_at < self.retry_s:
            again = type(state.failure)
            raise again(state.failure.reason, hint=state.failure.hint)
        if state.logging_in is None:
            state.logging_in = asyncio.create_task(self._log_in())
            state.logging_in.add_done_callback(_never_mind)
        return await asyncio.shield(state.logging_in)

    async def _log_in(self) -> Login:
        state = self._state
        losses = state.losses
        try:
            login = await log_in(self.address, self._lost)
        except ProxyError as exc:
            state.failure, state.failed_at = exc, monotonic()
            raise
        finally:
            state.logging_in = None
        if state.losses != losses:
            raise DownError(_BROKE_OFF)
        state.login, state.failure = login, None
        return login

    def _forget(self, login: Login) -> None:
        if self._state.login is login:
            self._state.login = None

    def _lost(self) -> None:
        self._state.losses += 1
        self._state.login = None

    def watch(self) -> Blame:
        """The failure of a connection during which the ssh connection ended is that one's."""
        state = self._state
        losses = state.losses

        def blame(failure: str) -> bool:
            return state.losses != losses or (failure == Failure.GENERIC_TIMEOUT and self._is_silent())

        return blame

    def _is_silent(self) -> bool:
        """The server has not even answered keepalives of late; false where the system cannot tell."""
        login = self._state.login
        if login is None:
            return True
        try:
            info = login.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_RECEIVED + 4)
            silence_ms: int = struct.unpack_from("=I", info, _LAST_DATA_RECEIVED)[0]
        except (OSError, AttributeError, struct.error):
            return False
        return silence_ms > self.silence_s * 1000

    async def aclose(self) -> None:
        state = self._state
        if state.logging_in is not None:
            state.logging_in.cancel()
            await asyncio.gather(state.logging_in, return_exceptions=True)
        login, state.login = state.login, None
        if login is not None:
            login.connection.close()
            await login.connection.wait_closed()


class _LostError(Exception):
    """The connection under a channel has gone."""


def _never_mind(future: asyncio.Future[Any]) -> None:
    """Nobody waits for this any more; a bridge has closed the channel if it was opened after all."""
    if not future.cancelled():
        future.exception()


def _told_by_server(exc: asyncssh.ChannelOpenError) -> Exception:
    """What the far end says: OSError of the target, ProxyError of itself."""
    if exc.code == asyncssh.OPEN_CONNECT_FAILED:
        said = exc.reason.strip().lower()
        if said in _FAR_NAMES:
            return socket.gaierror(_FAR_NAMES[said], Wording("said by the ssh server"))
        number = _FAR_FAILURES.get(said)
        return (
            OSError(number, Wording("said by the ssh server"))
            if number
            else OSError("connect failed at the vantage")
        )
    if exc.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
        return ProxyError(
            "the ssh server forwards no connections for us",
            hint="Its AllowTcpForwarding must say yes or local.",
        )
    return ProxyError("the ssh server opens no more channels")
