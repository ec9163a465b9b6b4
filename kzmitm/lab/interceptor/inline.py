"""The inline interceptor: packets from the queue, decisions to the kernel, and connections taken over."""

import asyncio
import contextlib
import logging
import socket

from kzmitm.lab.interceptor.actions import Action, FlowKey, Inquire, Left, Settle, TakeOver, Treatment
from kzmitm.lab.interceptor.flow import Policy
from kzmitm.lab.interceptor.hello import Hello
from kzmitm.lab.interceptor.intercept import Interceptor, named
from kzmitm.lab.interceptor.marks import Marks
from kzmitm.lab.interceptor.nfqueue import PacketQueue
from kzmitm.lab.interceptor.onward import Destination
from kzmitm.lab.interceptor.table import FlowTable
from kzmitm.lab.interceptor.takeover import take_over

EXPIRY_S = 1.0
"""How often idle connections are looked for."""

ANSWER_S = 5.0
"""How long a client is held while its origin is asked: less than clients wait for a server."""

log = logging.getLogger(__name__)


class Inline:
    """Works from construction on; what it holds is given back by `close`."""

    def __init__(self, interceptor: Interceptor) -> None:
        """Bind to the queue; raises OSError."""
        config = interceptor.config
        self._interceptor = interceptor
        self._loop = asyncio.get_running_loop()
        self._table = FlowTable(Policy(config.watch, config.require_valid_origin))
        self._queue = PacketQueue(config.queue)
        marks = Marks.of(config.mark)
        self._marks = {
            Treatment.PASS: None,
            Treatment.FRESH: marks.fresh,
            Treatment.LEAVE: marks.leave,
            Treatment.LOCAL: marks.local,
        }
        self._take_mark = marks.take
        self._loop.add_reader(self._queue.fileno(), self._read)
        self._expiry = self._loop.call_later(EXPIRY_S, self._expire)

    def _read(self) -> None:
        for queued in self._queue.read():
            self._do(self._table.packet(queued.number, queued.packet, self._loop.time()))
        self._queue.flush()

    def _expire(self) -> None:
        self._do(self._table.expire(self._loop.time()))
        self._queue.flush()
        self._expiry = self._loop.call_later(EXPIRY_S, self._expire)

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Settle(number, treatment):
                    self._settle(number, treatment)
                case Inquire(key, hello):
                    self._interceptor.spawn(self._ask(key, hello))
                case TakeOver():
                    self._take_over(action)
                case Left(key, why):
                    log.info("left %s: %s", destination_of(key), why)

    def _settle(self, number: int, treatment: Treatment) -> None:
        if treatment is Treatment.DISCARD:
            self._queue.drop(number)
        else:
            self._queue.accept(number, mark=self._marks[treatment])

    async def _ask(self, key: FlowKey, hello: Hello) -> None:
        is_valid = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                is_valid = await self._interceptor.may_intercept(destination_of(key), hello)
        if not is_valid:
            log.info("left %s %s: no valid certificate there", destination_of(key), named(hello))
        self._do(self._table.answered(key, is_valid=is_valid))
        self._queue.flush()

    def _take_over(self, action: TakeOver) -> None:
        """First the socket, then the rest, else the client's next packet would find nobody."""
        # What was passed must be on its way to the server before there is a socket that it would fit as well.
        self._queue.flush()
        plan = action.plan
        where = destination_of(plan.key)
        try:
            connected = take_over(plan, self._loop.time())
        except OSError as error:
            log.warning("left %s %s: %s", where, named(plan.hello), error)
            self._do(self._table.forget(plan.key))
            for number in (action.number, *action.held):
                self._settle(number, Treatment.LEAVE)
            return
        log.info("took %s %s", where, named(plan.hello))
        self._queue.accept(action.number, mark=self._take_mark, packet=action.reset)
        for number in action.held:
            self._settle(number, Treatment.LOCAL)
        self._interceptor.spawn(self._interceptor.serve(connected, plan.octets, where, plan.hello))

    def close(self) -> None:
        """From now on packets go by."""
        self._expiry.cancel()
        self._loop.remove_reader(self._queue.fileno())
        self._queue.close()


def destination_of(key: FlowKey) -> Destination:
    """The server of a connection."""
    family = socket.AF_INET if len(key.server) == 4 else socket.AF_INET6
    return Destination(socket.inet_ntop(family, key.server), key.server_port)
