"""The limits as those see them who are asked: real servers that note who comes, and when."""

import asyncio
import socket
import ssl
import threading
import time
from contextlib import suppress

import pytest
from nats_support import REGISTRY, Authority, Setting, now, run, server_for

from kzmitm.campaign.allotment import WORKER_URI
from kzmitm.campaign.file import parse_campaign
from kzmitm.campaign.plan import Plan
from kzmitm.campaign.remote_setup import Remote
from kzmitm.campaign.runner import Runner
from kzmitm.campaign.served import ServedRunner
from kzmitm.campaign.state import CampaignFolder, Versions
from kzmitm.campaign.subjects import Subjects
from kzmitm.campaign.target_table import TargetTable
from kzmitm.campaign.world import World
from kzmitm.cli.serving import linked
from kzmitm.netio.overrides import parse_overrides
from kzmitm.netio.pump import Limits
from kzmitm.netio.queue_access import parse_server
from kzmitm.netio.vantage import open_vantage
from kzmitm.pki.store import parse_store
from kzmitm.scan import Network, ScanOptions
from kzmitm.targets import parse_targets
from kzmitm.verdict.judge import Judge

HOLD_S = 0.03
"""A server answers so late."""
LATE_S = 0.2
"""By which a busy machine may let a server look at its clock too late."""


class Meter:
    """TLS servers, each on a port; notes of each connection when it came and how long it was there.

    What is noted lies within the time in which the client was connected, so too much is never counted.
    """

    def __init__(self, authority, servers):
        crt, key = authority.leaf("*.site.test")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(crt, key)
        self._listeners = [socket.create_server(("127.0.0.1", 0), backlog=64) for _ in range(servers)]
        self.ports = [each.getsockname()[1] for each in self._listeners]
        self.seen = []
        self._threads = [threading.Thread(target=self._accept, args=(each,)) for each in self._listeners]
        for each in self._threads:
            each.start()

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._shake, args=(connection, time.monotonic()))
            self._threads.append(thread)
            thread.start()

    def _shake(self, connection, came):
        port = connection.getsockname()[1]
        connection.settimeout(HOLD_S)
        with connection:
            with suppress(OSError):
                connection.recv(1, socket.MSG_PEEK)
            time.sleep(HOLD_S)
            self.seen.append((came, time.monotonic(), port))
            connection.settimeout(5)
            with suppress(OSError), self._context.wrap_socket(connection, server_side=True) as tls:
                tls.recv(1)

    def close(self):
        for each in self._listeners:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for each in self._threads:
            each.join()

    def most_at_once(self, port=None):
        spans = [(came, left) for came, left, at in self.seen if port in (None, at)]
        return max(sum(came <= moment < left for came, left in spans) for moment, _ in spans)

    def starts(self, port=None):
        return sorted(came for came, _, at in self.seen if port in (None, at))

    def check_rate(self, rate, places=1, port=None):
        """Of places that share no clock, each may begin one in the same moment."""
        starts = self.starts(port)
        for first, begin in enumerate(starts):
            for count, at in enumerate(starts[first:]):
                assert at - begin >= (count - places + 1) / rate - LATE_S


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def meter(authority, request):
    made = Meter(authority, getattr(request, "param", 4))
    yield made
    made.close()


NAMES = [f"t{i}.site.test" for i in range(12)]


def plan_of(limits, vantages):
    roomy = {
        "concurrency": 100, "rate": 1000.0, "endpoint_gap": "0s", "endpoint_concurrency": 100,
        "network_concurrency": 100, "timeout": "5s",
    }  # fmt: skip
    told = "".join(f"{key} = {value!r}\n".replace("'", '"') for key, value in (roomy | limits).items())
    parts = "".join(f'[[vantages]]\nname = "{name}"\nuri = "{uri}"\n' for name, uri in vantages)
    octets = (
        '[campaign]\nname = "camp"\ncontact = "nobody@example.org"\n[controls]\nevery = 0\n'
        '[networks]\ntable = "t"\n[evidence]\ntargets = "none"\n'
        f"[targets]\nnames = {NAMES!r}\n[collect]\nfollow_ups = false\nfamilies = [4]\n"
        f"[limits]\n{told}{parts}"
    ).replace("'", '"')
    campaign = parse_campaign(octets.encode(), name="test")
    return octets.encode(), Plan(campaign, TargetTable(parse_targets(NAMES)), TargetTable(()))


class Silent:
    def on_share(self, share, *, left): ...
    def on_result(self, job, judged): ...
    def on_note(self, share, code, detail=""): ...


def network(meter):
    told = [f"{name}:443:127.0.0.1:{meter.ports[i % len(meter.ports)]}" for i, name in enumerate(NAMES)]
    return Network(link=open_vantage("direct:"), overrides=parse_overrides(told, ()))


def world(meter, authority, plan, **options):
    store = parse_store(authority.pem.read_bytes(), name="test", version="", date="")
    limits = plan.campaign.limits
    return World(
        networks={each.name: network(meter) for each in plan.campaign.vantages if each.uri != WORKER_URI},
        judge=lambda: Judge(registry=REGISTRY, store=store),
        options=ScanOptions(
            **{"limits": Limits(5, 5, 5), "concurrency": limits.vantage_concurrency, "follow_ups": False}
            | options
        ),
        now=now,
        network_of=lambda _ip: "AS64500",
    )


def here(tmp_path, meter, authority, **limits):
    """Two vantages of this process measure all targets."""
    octets, plan = plan_of(limits, (("a", "direct:"), ("b", "direct:")))
    folder = CampaignFolder(tmp_path / "out", plan)
    folder.begin(octets, Versions("1", "1", "1", "1"))
    run(Runner(folder, world(meter, authority, plan), Silent()).run())
    assert len(meter.seen) == 2 * len(NAMES)


@pytest.mark.parametrize(
    "limit", ["concurrency", "network_concurrency", "as_concurrency"], ids=["all", "block", "network"]
)
def test_never_more_at_once_over_all_vantages(tmp_path, meter, authority, limit):
    here(tmp_path, meter, authority, **{limit: 3})
    assert meter.most_at_once() == 3


def test_an_address_is_met_by_one_at_a_time_and_after_a_pause(tmp_path, meter, authority):
    here(tmp_path, meter, authority, endpoint_concurrency=1, endpoint_gap="150ms")
    for port in meter.ports:
        assert meter.most_at_once(port) == 1
        meter.check_rate(1 / 0.15, port=port)


def test_follow_ups_wait_as_all_others_do(tmp_path, meter, authority):
    """Nobody trusts who signed for the servers, so that each name is asked for once more in many ways."""
    octets, plan = plan_of({"endpoint_concurrency": 1, "endpoint_gap": "60ms"}, (("a", "direct:"),))
    folder = CampaignFolder(tmp_path / "out", plan)
    folder.begin(octets, Versions("1", "1", "1", "1"))
    stranger = Authority(tmp_path, "Another Root")
    options = {"follow_ups": True, "benign_sni": ("www.example.com",), "stop_after": 1}
    run(Runner(folder, world(meter, stranger, plan, **options), Silent()).run())
    assert len(meter.seen) > len(NAMES)
    for port in meter.ports:
        assert meter.most_at_once(port) == 1
        meter.check_rate(1 / 0.06, port=port)


def test_no_more_are_begun_than_the_rate_says(tmp_path, meter, authority):
    here(tmp_path, meter, authority, rate=25.0)
    meter.check_rate(25)


@pytest.mark.parametrize("meter", [len(NAMES)], indirect=True, ids=["an address for each"])
def test_workers_and_coordinator_together_keep_to_the_limits(tmp_path, meter, authority):
    """Two computers far away and the coordinator itself: nothing but the division of limits joins them."""
    octets, plan = plan_of(
        {"concurrency": 3, "rate": 30.0}, (("a", WORKER_URI), ("b", WORKER_URI), ("c", "direct:"))
    )
    with server_for(tmp_path) as server:

        async def work():
            queue = await server.queue()
            folder = CampaignFolder(tmp_path / "out", plan)
            folder.begin(octets, Versions("1", "1", "1", "1"))
            remote = Remote(queue=queue, ack_wait_s=2.0, wait_s=0.5, again_s=0.1)
            made = Setting.bare(tmp_path, server, authority, network(meter))
            runner = ServedRunner(folder, world(meter, authority, plan), Silent(), remote=remote)
            async with made.worker("a"), made.worker("b"):
                await runner.run()
            await queue.close()

        run(work())
    assert len(meter.seen) == 3 * len(NAMES)
    assert meter.most_at_once() <= 3
    meter.check_rate(30, places=3)


def test_a_second_process_for_one_vantage_waits_for_the_first_to_leave(tmp_path, capsys):
    """Each would do the whole part of its vantage, so the server takes as many as the campaign divides by."""
    with server_for(tmp_path, vantages=("a",), workers=1) as server:

        async def work():
            first = await server.queue("a")
            where = (parse_server(server.url), server.credentials("a"), Subjects("camp", "a").inbox)
            async with asyncio.timeout(15), asyncio.TaskGroup() as group:
                second = group.create_task(come_and_go(where))
                while "waiting for one to leave" not in capsys.readouterr().err:  # noqa: ASYNC110 (of what is said)
                    await asyncio.sleep(0.02)
                assert not second.done()
                await first.close()

        async def come_and_go(where):
            async with linked(*where):
                pass

        run(work())
