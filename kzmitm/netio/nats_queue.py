"""A queue that survives both sides: NATS JetStream. The one module that imports nats-py.

Every message arrives at least once: who takes it acknowledges it when it is done, and until then the server
gives it again. A lost link comes back by itself; what was asked meanwhile fails with QueueError and can be
asked again. https://docs.nats.io/nats-concepts/jetstream
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NoReturn

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext, api
from nats.js.errors import NotFoundError

from kzmitm.errors import UsageError
from kzmitm.netio.queue_access import Backlog, Credentials, QueueError, ServerAddress, kind_of
from kzmitm.wording import Wording

ASK_S = 5.0
"""Seconds for the server to answer."""
AGAIN_S = 1
"""Between two tries of a lost link."""
DUPLICATES_S = 120.0
"""How long a server knows the ids of messages that it was given."""
MAX_AGE_S = 30 * 86400.0

_REFUSED = ("authorization violation", "authentication")


class Message:
    """A message that was taken; it comes again unless it is done in time."""

    __slots__ = ("_msg", "octets")

    def __init__(self, msg: Msg) -> None:
        self._msg = msg
        self.octets = msg.data

    async def done(self) -> None:
        """It is dealt with. Where the link is lost, it comes again."""
        await _quietly(self._msg.ack())

    async def again(self, after_s: float) -> None:
        """Have it given to somebody later."""
        await _quietly(self._msg.nak(delay=after_s))

    async def never(self) -> None:
        """It can never be dealt with."""
        await _quietly(self._msg.term())

    async def working(self) -> None:
        """It takes longer: the time begins anew."""
        await _quietly(self._msg.in_progress())


class Mailbox:
    """Where one consumer's messages are taken from."""

    def __init__(self, subscription: JetStreamContext.PullSubscription) -> None:
        self._subscription = subscription

    async def take(self, most: int, wait_s: float) -> list[Message]:
        """Up to so many messages, none if none came in time or the link is lost."""
        try:
            found = await self._subscription.fetch(most, timeout=wait_s)
        except (nats.errors.TimeoutError, TimeoutError):
            return []
        except nats.errors.Error as exc:
            raise QueueError("the server gives no messages: {why}", why=exc) from None
        return [Message(each) for each in found]


class _Client(Client):
    """nats-py's, that keeps to one server and never speaks without TLS where it was asked for."""

    def __init__(self, server: ServerAddress, credentials: Credentials) -> None:
        super().__init__()
        self._demands_tls = server.context is not None
        if credentials.nkey is not None and not credentials.jwt:
            self._public_nkey = credentials.nkey.public

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:  # noqa: FBT001, FBT002 (its signature)
        info.pop("connect_urls", None)  # other servers, which nobody here has named
        await super()._process_info(info, initial_connection)

    def _connect_command(self) -> bytes:
        if self._demands_tls and not self._server_info.get("tls_required"):
            raise nats.errors.Error(Wording("the server offers no TLS"))
        return super()._connect_command()


class Queue:
    """A link to the server."""

    def __init__(self, client: _Client) -> None:
        self._client = client
        self._stream = client.jetstream(timeout=ASK_S)
        self._mailboxes: dict[tuple[str, str], Mailbox] = {}

    @property
    def is_closed(self) -> bool:
        """The link is gone for good, as when the credentials were taken back."""
        return bool(self._client.is_closed)

    async def close(self) -> None:
        with suppress(Exception):
            await asyncio.wait_for(self._client.close(), ASK_S)

    async def keep_stream(
        self,
        name: str,
        subjects: list[str],
        *,
        is_work: bool,
        max_messages: int,
        max_octets: int,
        largest: int,
    ) -> None:
        """Have a stream on the disk of the server: of work, each done once, or of results."""
        config = api.StreamConfig(
            name=name,
            subjects=subjects,
            retention=api.RetentionPolicy.WORK_QUEUE if is_work else api.RetentionPolicy.LIMITS,
            discard=api.DiscardPolicy.NEW,
            storage=api.StorageType.FILE,
            max_msgs=max_messages,
            max_bytes=max_octets,
            max_msg_size=largest,
            max_age=MAX_AGE_S,
            duplicate_window=DUPLICATES_S,
            max_msgs_per_subject=-1,
        )
        try:
            await self._stream.stream_info(name)
        except NotFoundError:
            await self._asked(self._stream.add_stream(config))
        except (nats.errors.Error, TimeoutError) as exc:
            raise QueueError("{name}: {why}", name=name, why=_why(exc)) from None
        else:
            await self._asked(self._stream.update_stream(config))

    async def keep_consumer(
        self, stream: str, name: str, subject: str, *, ack_wait_s: float, max_deliver: int, most: int
    ) -> None:
        """Have a consumer that is asked for messages, and remembers what was taken."""
        config = api.ConsumerConfig(
            durable_name=name,
            filter_subject=subject,
            ack_policy=api.AckPolicy.EXPLICIT,
            ack_wait=ack_wait_s,
            max_deliver=max_deliver,
            max_ack_pending=most,
        )
        await self._asked(self._stream.add_consumer(stream, config))

    async def mailbox(self, stream: str, consumer: str) -> Mailbox:
        """The messages of a consumer, which exists; asks the server nothing yet.

        The same one for whoever asks again: what comes for a question that was broken off is kept there.
        """
        if (stream, consumer) not in self._mailboxes:
            bound = await self._asked(self._stream.pull_subscribe_bind(consumer=consumer, stream=stream))
            self._mailboxes[stream, consumer] = Mailbox(bound)
        return self._mailboxes[stream, consumer]

    async def put(self, subject: str, octets: bytes, message_id: str) -> None:
        """Give a message and have it on the server's disk; twice the same id is one message."""
        headers = {"Nats-Msg-Id": message_id}
        await self._asked(self._stream.publish(subject, octets, timeout=ASK_S, headers=headers))

    async def backlog(self, stream: str, consumer: str) -> Backlog:
        found = await self._asked(self._stream.consumer_info(stream, consumer, timeout=ASK_S))
        return Backlog(found.num_pending or 0, found.num_ack_pending or 0, found.num_waiting or 0)

    async def forget(self, stream: str, subject: str) -> None:
        """Delete what waits under a subject."""
        await self._asked(self._stream.purge_stream(stream, subject=subject))

    async def forget_done(self, stream: str, consumer: str) -> None:
        """Delete what a consumer has dealt with."""
        found = await self._asked(self._stream.consumer_info(stream, consumer, timeout=ASK_S))
        floor = found.ack_floor.stream_seq if found.ack_floor is not None else 0
        if floor:
            await self._asked(self._stream.purge_stream(stream, seq=floor + 1))

    async def _asked(self, question: Any) -> Any:
        try:
            return await question
        except (nats.errors.Error, TimeoutError, OSError) as exc:
            raise kind_of(exc)(Wording("the server did not do it: {why}", why=_why(exc))) from None


async def open_queue(
    server: ServerAddress, credentials: Credentials, *, inbox: str, told: Callable[[str], None]
) -> Queue:
    """The link, as soon as the server is there; raises UsageError if it does not take us, or we not it.

    `told` hears `unreachable: WHY` before, and `lost`, `back`, `closed`, `forbidden: WHY` after.
    """
    client, watch = _Client(server, credentials), _Watch(server.url, told)
    opening = asyncio.ensure_future(
        client.connect(
            server.url,
            **_identity(credentials),
            tls=server.context,
            inbox_prefix=inbox,
            error_cb=watch.on_error,
            disconnected_cb=watch.change("lost"),
            reconnected_cb=watch.change("back"),
            closed_cb=watch.change("closed"),
            max_reconnect_attempts=-1,
            reconnect_time_wait=AGAIN_S,
            connect_timeout=5,
            ping_interval=20,
            pending_size=4 << 20,
        )
    )
    try:
        await asyncio.wait((opening, watch.refused), return_when=asyncio.FIRST_COMPLETED)
        if watch.refused.done():
            watch.refused.result()
        await opening
    except nats.errors.Error as exc:
        raise UsageError("{url}: {why}", url=server.url, why=_why(exc)) from None
    finally:
        watch.refused.cancel()
        if not opening.done():
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            with suppress(Exception):
                await client.close()
    watch.is_open = True
    return Queue(client)


class _Watch:
    """What happens to a link: `refused` fails if the server does not take us, all else is told."""

    def __init__(self, url: str, told: Callable[[str], None]) -> None:
        self._url, self._told = url, told
        self._last, self.is_open = "", False
        self.refused: asyncio.Future[NoReturn] = asyncio.get_running_loop().create_future()

    async def on_error(self, error: Exception) -> None:
        complaint = _refusal(error)
        if complaint and not self.is_open and not self.refused.done():
            self.refused.set_exception(UsageError("{url}: {complaint}", url=self._url, complaint=complaint))
        elif (why := _why(error)) != self._last and (not self.is_open or "permissions" in why):
            self._last = why
            self._told(f"{'forbidden' if self.is_open else 'unreachable'}: {why}")

    def change(self, code: str) -> Callable[[], Awaitable[None]]:
        """Tells `code` when it is called, of a link that was open."""

        async def on_change() -> None:
            if self.is_open:
                self._told(code)

        return on_change


def _identity(credentials: Credentials) -> dict[str, Any]:
    if credentials.nkey is None:
        return {"user": credentials.user, "password": credentials.password}
    options: dict[str, Any] = {"signature_cb": credentials.nkey.sign}
    if credentials.jwt:
        options["user_jwt_cb"] = credentials.jwt.encode
    return options


def _refusal(error: Exception) -> str:
    """Why trying again is in vain; "" if it is not."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Wording(
            "its certificate is not trusted: {verify_message} (--ca names the authority's)",
            verify_message=error.verify_message,
        )
    if isinstance(error, ssl.SSLError):
        return Wording("TLS failed: {reason}", reason=error.reason or error)
    text = str(error).lower()
    if "offers no tls" in text:
        return Wording("the server offers no TLS, so nothing was said to it")
    if any(word in text for word in _REFUSED):
        return Wording("it does not take these credentials")
    return ""


def _why(error: BaseException) -> str:
    return (str(error) or type(error).__name__).removeprefix("nats: ")


async def _quietly(answer: Any) -> None:
    """Send what need not arrive: without it the message comes again."""
    with suppress(nats.errors.Error, TimeoutError, OSError):
        await answer
