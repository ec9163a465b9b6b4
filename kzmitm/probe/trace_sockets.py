"""The steps of a trace made with ordinary sockets."""

from dataclasses import replace

from kzmitm.model.observation import Role
from kzmitm.model.target import Endpoint
from kzmitm.model.trace import Answer, Step, TraceMethod
from kzmitm.netio.clock import Stopwatch
from kzmitm.netio.expiring import Reply, Way, ask_syn, ask_udp
from kzmitm.netio.expiring_hello import Patience, ask_hello
from kzmitm.netio.vantage import VantageLink
from kzmitm.probe.tls import Offer, new_driver


class SocketProber:
    """Steps to one address, without privileges (Linux)."""

    method = TraceMethod.SOCKETS
    flow = 0
    """Each question has a port of its own, so that many can be asked at once."""

    def __init__(
        self, link: VantageLink, endpoint: Endpoint, stopwatch: Stopwatch, *, profile: str = "small"
    ) -> None:
        """`link` must be a local one; `profile` names the hello."""
        self._link = link
        self._endpoint = endpoint
        self._stopwatch = stopwatch
        self._profile = profile

    def close(self) -> None:
        """Nothing is held."""

    async def syn(self, port: int, ttl: int, flow: int, wait_s: float) -> Step:
        t0 = self._stopwatch.elapsed()
        return self._step(await ask_syn(self._way(port), ttl, flow, wait_s), ttl, t0)

    async def udp(self, port: int, ttl: int, flow: int, wait_s: float) -> Step:
        t0 = self._stopwatch.elapsed()
        return self._step(await ask_udp(self._way(port), ttl, flow, wait_s), ttl, t0)

    async def hello(self, name: str, ttl: int, flow: int, patience: Patience) -> Step:
        t0 = self._stopwatch.elapsed()
        driver = new_driver(Offer(name, self._profile))
        reply = await ask_hello(
            self._way(self._endpoint.port), driver, ttl, flow, patience, self._stopwatch.elapsed
        )
        step = self._step(reply, ttl, t0)
        if reply.answer in (Answer.UNSENT, Answer.EXPIRED):
            return step
        tls = driver.observation(endpoint=self._endpoint, role=Role.FIRST, t0=t0, t=step.t, transaction_id=0)
        return replace(step, tls=tls)

    def _way(self, port: int) -> Way:
        return Way(self._link, Endpoint(self._endpoint.ip, port))

    def _step(self, reply: Reply, ttl: int, t0: float) -> Step:
        return Step(
            ttl=ttl,
            flow=reply.flow,
            answer=reply.answer,
            address=reply.address,
            reply_ttl=reply.reply_ttl,
            failure=reply.failure,
            t0=t0,
            t=self._stopwatch.elapsed(),
        )
