"""The scan against servers on loopback, with the real judge."""

import asyncio
import errno
import gc
import itertools
import socket
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

import pytest

from kzmitm.errors import UsageError
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import Role
from kzmitm.model.target import Target, Vantage
from kzmitm.model.verdict import Confidence, Outcome, Verdict
from kzmitm.netio.answers import Reply, address_answer
from kzmitm.netio.links.direct import DirectLink
from kzmitm.netio.overrides import parse_overrides
from kzmitm.netio.pump import Limits
from kzmitm.netio.resolve import Resolver
from kzmitm.netio.vantage import VantageLink
from kzmitm.scan import Network, ScanOptions, SilentObserver, gentle, scan

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = Limits(2, 2, 2)


class Recorder(SilentObserver):
    def __init__(self):
        self.started, self.followed, self.judged, self.notes = [], [], [], []
        self.has_followed = asyncio.Event()

    def on_start(self, target):
        self.started.append(target)

    def on_follow_up(self, _target, follow_up):
        self.followed.append(follow_up)
        self.has_followed.set()

    def on_judged(self, judged):
        self.judged.append(judged)

    def on_note(self, code):
        self.notes.append(code)


@dataclass
class ScriptedFacts:
    measurement: Measurement
    focus: None = None
    others: tuple = ()


class ScriptedJudge:
    """Finds interception with everything."""

    def facts(self, measurement, _now):
        return ScriptedFacts(measurement)

    def follow_ups(self, _facts, **_names):
        return ()

    def verdict_of(self, _facts):
        return Verdict(outcome=Outcome.INTERCEPTION, confidence=Confidence.CONFIRMED)


def at(port, **more):
    return Network(link=DirectLink(), overrides=parse_overrides([f"::127.0.0.1:{port}"], []), **more)


def closed_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def start(targets, network, judge, *, options=None, observer=None, stop=None):
    return scan(
        targets,
        network=network,
        judge=judge,
        options=options or ScanOptions(limits=LIMITS, benign_sni=("example.org",)),
        rng=Random(7),
        now=lambda: NOW,
        observer=observer,
        stop=stop,
    )


async def collect(targets, network, judge, **options):
    async with aclosing(start(targets, network, judge, **options)) as results:
        return [judged async for judged in results]


def test_a_clean_target_costs_one_connection(server, genuine, judge):
    async def check():
        names = []
        async with server(genuine, answered=names) as port:
            return await collect([Target("a.test")], at(port), judge), names

    (judged,), names = asyncio.run(check())
    assert judged.verdict.outcome is Outcome.CLEAN
    assert names == ["a.test"]
    measurement = judged.measurement
    assert measurement.started_at == NOW
    assert measurement.target == Target("a.test", address="127.0.0.1")
    assert measurement.runtime_s > 0
    assert [o.failure for o in measurement.tcp] == [None]
    assert len(measurement.first.presented_chain) == 1
    assert judged.facts.measurement is measurement


def test_a_suspicious_target_is_followed_up(server, forged, judge):
    observer = Recorder()

    async def check():
        names = []
        async with server(forged, answered=names) as port:
            return await collect([Target("a.test")], at(port), judge, observer=observer), names

    (judged,), names = asyncio.run(check())
    assert judged.verdict.outcome not in {Outcome.CLEAN, Outcome.BLOCKED}
    roles = [o.role for o in judged.measurement.tls]
    assert roles[0] is Role.FIRST
    assert {Role.BENIGN_SNI, Role.NONSENSE_SNI, Role.NO_SNI, Role.REPEAT, Role.OTHER_HELLO} <= set(roles)
    assert len(observer.followed) == len(roles) - 1 <= 8
    assert "example.org" in names
    assert None in names
    assert any(name and name.endswith(".invalid") for name in names)
    ids = [o.transaction_id for o in judged.measurement.tcp]
    assert ids == sorted(set(ids))


def test_follow_ups_can_be_left_out(server, forged, judge):
    async def check():
        async with server(forged) as port:
            options = ScanOptions(limits=LIMITS, follow_ups=False)
            return await collect([Target("a.test")], at(port), judge, options=options)

    (judged,) = asyncio.run(check())
    assert len(judged.measurement.tls) == 1
    assert judged.verdict.outcome is not Outcome.CLEAN


def test_the_second_vantage_is_asked_about_suspicious_targets_only(server, genuine, forged, judge):
    async def check():
        async with server(forged) as bad, server(genuine) as good:
            control = DirectLink(Vantage(id="clean-place"))
            overrides = parse_overrides([f"a.test::127.0.0.1:{bad}", f"::127.0.0.1:{good}"], [])
            network = Network(link=DirectLink(), overrides=overrides, control_link=control)
            return await collect([Target("a.test"), Target("host1.test")], network, judge)

    suspicious, clean = asyncio.run(check())
    controls = [o for o in suspicious.measurement.tls if o.role is Role.CONTROL]
    assert [o.vantage_id for o in controls] == ["clean-place"]
    assert all(o.role is not Role.CONTROL for o in clean.measurement.tls)


def test_the_second_vantage_can_be_asked_about_all(server, genuine, judge):
    async def check():
        async with server(genuine) as port:
            network = at(port, control_link=DirectLink(Vantage(id="clean-place")))
            options = ScanOptions(limits=LIMITS, control_every=True)
            return await collect([Target("a.test")], network, judge, options=options)

    (judged,) = asyncio.run(check())
    assert [o.role for o in judged.measurement.tls] == [Role.FIRST, Role.CONTROL]


@pytest.mark.parametrize("concurrency", [1, 7])
def test_every_target_is_given_out_once(server, genuine, judge, concurrency):
    targets = [Target(f"host{i}.test") for i in range(20)]
    observer = Recorder()

    async def check():
        async with server(genuine) as port:
            options = ScanOptions(limits=LIMITS, concurrency=concurrency)
            return await collect(iter(targets), at(port), judge, options=options, observer=observer)

    results = asyncio.run(check())
    assert {r.verdict.outcome for r in results} == {Outcome.CLEAN}
    assert sorted(r.measurement.target.hostname for r in results) == sorted(t.hostname for t in targets)
    assert observer.started == targets
    assert len(observer.judged) == 20


def test_targets_may_come_asynchronously(judge):
    async def targets():
        for i in range(5):
            await asyncio.sleep(0)
            yield Target(f"host{i}.test")

    options = ScanOptions(limits=LIMITS, concurrency=3)
    results = asyncio.run(collect(targets(), at(closed_port()), judge, options=options))
    assert sorted(r.measurement.target.hostname for r in results) == [f"host{i}.test" for i in range(5)]
    assert {r.verdict.outcome for r in results} == {Outcome.UNREACHABLE}


def test_a_slow_consumer_holds_back_the_targets():
    taken = itertools.count()
    options = ScanOptions(limits=LIMITS, concurrency=4)

    async def check():
        endless = (Target(f"host{next(taken)}.test") for _ in itertools.repeat(None))
        async with aclosing(start(endless, at(closed_port()), ScriptedJudge(), options=options)) as results:
            async for _ in results:
                await asyncio.sleep(0.1)
                break

    asyncio.run(check())
    assert next(taken) < 50


def test_an_error_of_the_target_list_is_raised():
    def targets():
        yield Target("a.test")
        raise UsageError("list.txt:2: not a host name")

    async def check():
        async with aclosing(start(targets(), at(closed_port()), ScriptedJudge())) as results:
            assert (await anext(results)).measurement.target.hostname == "a.test"
            with pytest.raises(UsageError, match=r"list\.txt:2"):
                await anext(results)

    asyncio.run(check())


class FaultyJudge(ScriptedJudge):
    """Has a flaw that some hosts bring to light."""

    def facts(self, measurement, now):
        if measurement.target.hostname.startswith("bad"):
            raise ZeroDivisionError
        return super().facts(measurement, now)


def test_a_fault_with_one_target_does_not_cost_the_others():
    async def check():
        targets = [Target("a.test"), Target("bad.test"), Target("c.test")]
        async with aclosing(start(targets, at(closed_port()), FaultyJudge())) as results:
            given = [(await anext(results)).measurement.target.hostname for _ in range(2)]
            with pytest.raises(ZeroDivisionError):
                await anext(results)
        return given

    assert asyncio.run(check()) == ["a.test", "c.test"]


def test_a_scan_that_only_fails_is_given_up():
    taken = itertools.count()

    async def check():
        targets = (Target(f"bad{next(taken)}.test") for _ in range(1000))
        async with aclosing(start(targets, at(closed_port()), FaultyJudge())) as results:
            with pytest.raises(ZeroDivisionError):
                await anext(results)

    asyncio.run(check())
    assert next(taken) < 30


def test_stopping_gives_out_what_was_measured(server, forged, judge):
    """One handshake done, the follow-up hangs: what there is comes out within a second."""

    async def check():
        async with server(forged, silent_after=1) as port:
            stop = asyncio.Event()
            options = ScanOptions(limits=Limits(60, 60, 60), benign_sni=("example.org",))
            observer = Recorder()
            task = asyncio.create_task(
                collect(
                    [Target("a.test"), Target("b.test")],
                    at(port),
                    judge,
                    options=options,
                    observer=observer,
                    stop=stop,
                )
            )
            await asyncio.wait_for(observer.has_followed.wait(), 5)
            stopped = time.monotonic()
            stop.set()
            results = await task
            return results, time.monotonic() - stopped

    results, took = asyncio.run(check())
    assert took < 1
    assert [r.measurement.target.hostname for r in results] == ["a.test"]
    assert [o.role for o in results[0].measurement.tls] == [Role.FIRST]
    assert results[0].verdict.outcome is not Outcome.CLEAN


def test_leaving_early_leaves_no_task_behind(server, genuine, judge):
    async def check():
        async with server(genuine, silent_after=1) as port:
            options = ScanOptions(limits=Limits(60, 60, 60), concurrency=8)
            targets = (Target(f"host{i}.test") for i in range(20))
            before = asyncio.all_tasks()
            started = time.monotonic()
            async with aclosing(start(targets, at(port), judge, options=options)) as results:
                async for _ in results:
                    break
            left = {t for t in asyncio.all_tasks() - before if "_work" in repr(t)}
            return left, time.monotonic() - started

    left, took = asyncio.run(check())
    assert not left
    assert took < 1


def test_two_independent_findings_are_enough():
    targets = [
        Target(name) for name in ("a.one.test", "b.one.test", "a.two.test", "a.three.test", "a.four.test")
    ]
    observer = Recorder()
    options = ScanOptions(limits=LIMITS, stop_after=2)
    results = asyncio.run(
        collect(targets, at(closed_port()), ScriptedJudge(), options=options, observer=observer)
    )
    names = [r.measurement.target.hostname for r in results]
    assert names[:3] == ["a.one.test", "b.one.test", "a.two.test"]
    assert len(names) < 5
    assert observer.notes == ["stopped_early"]


def test_the_rate_bounds_all_workers_together():
    options = ScanOptions(limits=LIMITS, concurrency=5, rate_per_s=100)
    started = time.monotonic()
    asyncio.run(collect([Target("a.test")] * 11, at(closed_port()), ScriptedJudge(), options=options))
    assert 0.1 <= time.monotonic() - started < 1


def test_gentle_is_one_at_a_time_with_pauses():
    options = gentle(ScanOptions(concurrency=50))
    assert options.concurrency == 1
    assert options.pause_s[0] > 0
    assert options.stop_after == 2


@pytest.mark.parametrize(
    ("options", "least"), [({"pause_s": (0.02, 0.03)}, 0.08), ({"endpoint_gap_s": 0.02}, 0.08)]
)
def test_pauses_are_made_between_connections(options, least):
    started = time.monotonic()
    asyncio.run(
        collect(
            [Target("a.test")] * 5,
            at(closed_port()),
            ScriptedJudge(),
            options=ScanOptions(limits=LIMITS, **options),
        )
    )
    assert least <= time.monotonic() - started < 1


@pytest.mark.parametrize(
    "bad",
    [
        {"concurrency": 0},
        {"rate_per_s": 0},
        {"pause_s": (2, 1)},
        {"families": frozenset()},
        {"max_addresses": 0},
    ],
)
def test_options_that_make_no_sense(bad):
    with pytest.raises(ValueError, match="must"):
        ScanOptions(**bad)


class Records:
    """A resolver engine with fixed addresses."""

    engine = "getaddrinfo"
    query_types = ("ANY",)

    def __init__(self, ips):
        self.ips = ips

    async def ask(self, _hostname, _query_type):
        return Reply(answers=tuple(address_answer(ip) for ip in self.ips))


@dataclass
class FarLink(VantageLink):
    """A vantage that reaches nothing, and IPv6 not even in theory; it notes what it was asked for."""

    resolves_names: bool = True
    asked: list = field(default_factory=list)
    vantage: Vantage = field(default_factory=Vantage)

    async def connect(self, endpoint, _timeout_s):
        self.asked.append(str(endpoint))
        raise OSError(errno.ENETUNREACH if ":" in endpoint.ip else errno.ECONNREFUSED, "")


def test_one_address_of_each_family_is_tried_until_ipv6_proves_unusable():
    link, observer = FarLink(), Recorder()
    resolver = Resolver([Records(["2001:db8::1", "192.0.2.1", "192.0.2.2"])])
    network = Network(link=link, resolver=resolver)
    results = asyncio.run(
        collect([Target("a.test"), Target("b.test", 8443)], network, ScriptedJudge(), observer=observer)
    )
    assert link.asked == ["192.0.2.1:443", "[2001:db8::1]:443", "192.0.2.1:8443"]
    assert observer.notes == ["ipv6_unusable"]
    assert [row.ips for row in results[0].measurement.dns] == [("2001:db8::1", "192.0.2.1", "192.0.2.2")]
    assert [o.failure for o in results[0].measurement.tcp] == ["connection_refused", "network_unreachable"]


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({"families": frozenset({6})}, ["[2001:db8::1]:443"]),
        ({"families": frozenset({4}), "max_addresses": 3}, ["192.0.2.1:443", "192.0.2.2:443"]),
    ],
)
def test_families_and_addresses_are_chosen(options, asked):
    link = FarLink()
    network = Network(link=link, resolver=Resolver([Records(["2001:db8::1", "192.0.2.1", "192.0.2.2"])]))
    asyncio.run(collect([Target("a.test")], network, ScriptedJudge(), options=ScanOptions(**options)))
    assert link.asked == asked


def test_names_go_to_a_proxy_that_resolves_them(judge):
    link = FarLink(resolves_names=False)
    network = Network(link=link, resolver=Resolver([Records(["192.0.2.1"])]))
    (judged,) = asyncio.run(collect([Target("a.test")], network, judge))
    assert link.asked == ["a.test:443"]
    assert judged.measurement.dns == ()


@pytest.mark.parametrize("resolver", [None, Resolver([Records([])])])
def test_a_name_without_an_address(judge, resolver):
    network = Network(link=DirectLink(), resolver=resolver)
    (judged,) = asyncio.run(collect([Target("a.test")], network, judge))
    assert judged.measurement.tcp == ()
    assert judged.verdict.outcome not in {Outcome.CLEAN, Outcome.INTERCEPTION}


def test_nothing_is_kept_of_a_clean_or_silent_target(judge):
    """A hundred thousand targets cost what a thousand do: of those given out, only the last are alive."""
    network = at(closed_port())
    options = ScanOptions(limits=LIMITS, concurrency=5)

    async def check():
        async for _ in start((Target(f"h{i}.test") for i in range(300)), network, judge, options=options):
            pass
        return alive()

    def alive():
        gc.collect()
        return sum(isinstance(thing, Measurement) for thing in gc.get_objects())

    before = alive()
    assert asyncio.run(check()) - before < 50


def test_a_forged_ipv6_path_is_followed_up_beside_a_clean_ipv4_one(server, genuine, forged, judge):
    async def check():
        async with server(genuine) as port, server(forged, host="::1", port=port):
            network = Network(
                link=DirectLink(), overrides=parse_overrides([], [f"a.test:{port}:127.0.0.1,[::1]"])
            )
            return await collect([Target("a.test", port)], network, judge)

    (judged,) = asyncio.run(check())
    assert judged.verdict.outcome is not Outcome.CLEAN
    first = [o for o in judged.measurement.tls if o.role is Role.FIRST]
    assert [o.endpoint.ip for o in first] == ["::1", "127.0.0.1"], "what the verdict is about comes first"
    assert judged.measurement.first is judged.facts.focus.observation
    others = [o for o in judged.measurement.tls if o.role is not Role.FIRST]
    assert others
    assert {o.endpoint.ip for o in others} == {"::1"}


def test_openssl_is_asked_once_where_our_engine_breaks_off_and_nothing_else_is_tried(judge):
    async def misbehave(reader, writer):
        await reader.read(65536)
        writer.write(b"\x16\x03\x03\x00\x04\x0e\x00\x00\x00")
        await writer.drain()
        await reader.read(65536)
        writer.close()

    async def check():
        server = await asyncio.start_server(misbehave, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        options = ScanOptions(limits=LIMITS, follow_ups=False)
        try:
            return await collect([Target("a.test")], at(port), judge, options=options)
        finally:
            server.close()
            await asyncio.sleep(0.001)

    (judged,) = asyncio.run(check())
    engines = [(o.role, o.hello.engine) for o in judged.measurement.tls]
    assert engines == [(Role.FIRST, "kzmitm"), (Role.REPEAT, "openssl")]
    assert judged.verdict.outcome is not Outcome.CLEAN
