"""Runs of a matrix, of traits and of reflectors against real servers, where a command line does not lead."""

import asyncio
from datetime import UTC, datetime
from random import Random

import pytest

from kzmitm.model.matrix import BASE, AnswerKind, CellState
from kzmitm.model.observation import DNSAnswer, DNSObservation
from kzmitm.model.reflection import Fitness, NameOutcome, Reflector
from kzmitm.model.target import Target
from kzmitm.netio.answers import Reply, address_answer
from kzmitm.netio.links.direct import DirectLink
from kzmitm.netio.overrides import parse_overrides
from kzmitm.netio.pump import Limits
from kzmitm.netio.resolve import Resolver
from kzmitm.netio.vantage import VantageLink
from kzmitm.scan import Network, ScanOptions
from kzmitm.scan.answers import WithJARM, ask_answers
from kzmitm.scan.matrix import Ended, MatrixRun, Wanted
from kzmitm.scan.pace import Pace
from kzmitm.scan.reach import Manner, Reach
from kzmitm.scan.reflect import Reflection, ReflectOptions

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Table:
    """A resolver's engine with one answer for every name."""

    engine = "getaddrinfo"
    query_types = ("ANY",)

    def __init__(self, *ips):
        self._ips = ips

    async def ask(self, _hostname, _query_type):
        return Reply(answers=tuple(map(address_answer, self._ips)))


def manner(judge, **network):
    options = ScanOptions(limits=Limits(0.5, 0.5, 0.5))
    return Manner(
        network=Network(link=network.pop("link", DirectLink()), **network),
        judge=judge,
        pace=Pace(options, Random(1)),
        limits=options.limits,
        now=lambda: NOW,
        rng=Random(1),
        benign_sni=("host0.test",),
    )


def test_a_target_without_an_address(judge):
    async def run():
        matrix = MatrixRun(Wanted(target=Target("a.test")), manner(judge))
        await matrix.ask_all(lambda _: None)
        answered = await ask_answers(Target("a.test"), manner(judge), with_jarm=WithJARM.ALWAYS)
        reflection = Reflection(
            [Reflector(hostname="a.test")], ReflectOptions(names=("x.test",), control="c.test"), manner(judge)
        )
        await reflection.ask_all(lambda _: None)
        return matrix.matrix(), answered, reflection.results

    matrix, answered, results = asyncio.run(run())
    assert (matrix.ended, matrix.results, matrix.subject, matrix.traits) == (Ended.NOT_FOUND, (), None, None)
    assert (answered.endpoint, answered.traits) == (None, None)
    assert [each.fitness for each in results] == [Fitness.NOT_FOUND]


class Far(VantageLink):
    """A link that resolves names itself."""


def test_where_a_link_resolves_names_the_name_is_the_address(judge):
    async def run():
        return await Reach(manner(judge, link=Far())).locate(Target("a.test", 8443))

    (endpoint,) = asyncio.run(run())
    assert str(endpoint) == "a.test:8443"


def test_a_matrix_that_is_stopped_keeps_what_it_has(judge, server, genuine):
    async def run():
        async with server(genuine) as port:
            overrides = parse_overrides([f"::127.0.0.1:{port}"], [])
            matrix = MatrixRun(
                Wanted(target=Target("a.test"), benign="host0.test"), manner(judge, overrides=overrides)
            )
            seen = []

            def on_answer(result):
                seen.append(result)
                if len(seen) == 2:
                    raise asyncio.CancelledError

            with pytest.raises(asyncio.CancelledError):
                await matrix.ask_all(on_answer)
            return matrix.matrix()

    matrix = asyncio.run(run())
    assert (matrix.ended, matrix.connections) == (Ended.STOPPED, 2)
    assert [result.state for result in matrix.results] == [CellState.PASSED] * 2


def test_two_answers_that_differ_are_followed_by_a_third(judge, server, genuine):
    """The server is mute from its third connection on: once a certificate, then silence."""

    async def run():
        async with server(genuine, silent_after=2) as port:
            overrides = parse_overrides([f"::127.0.0.1:{port}"], [])
            matrix = MatrixRun(Wanted(target=Target("a.test")), manner(judge, overrides=overrides))
            await matrix.ask_all(lambda _: None)
            return matrix.matrix()

    matrix = asyncio.run(run())
    base = next(result for result in matrix.results if result.cell == BASE)
    kinds = [reading.kind for reading in base.readings]
    assert kinds == [AnswerKind.CERTIFICATE, AnswerKind.SILENCE, AnswerKind.SILENCE]
    assert base.state is CellState.MIXED


def test_a_server_that_falls_silent_is_lost(judge, server, genuine):
    async def run():
        async with server(genuine, silent_after=1) as port:
            overrides = parse_overrides([f"::127.0.0.1:{port}"], [])
            options = ReflectOptions(names=("x.test", "y.test"), control="host0.test")
            reflection = Reflection(
                [Reflector(hostname="a.test")], options, manner(judge, overrides=overrides)
            )
            await reflection.ask_all(lambda _: None)
            return reflection.results

    (result,) = asyncio.run(run())
    assert (result.fitness, result.control_kind) == (Fitness.LOST, AnswerKind.SILENCE)
    assert [each.outcome for each in result.names] == [NameOutcome.NOT_TOLD]
    assert result.is_complete is False


def test_a_cut_is_no_block_if_the_control_is_cut_as_well_afterwards(judge, server, genuine):
    """The server is mute from its third connection on: after own name and control, for whatever name."""

    async def run():
        async with server(genuine, silent_after=2) as port:
            overrides = parse_overrides([f"::127.0.0.1:{port}"], [])
            options = ReflectOptions(names=("x.test",), control="host0.test")
            reflection = Reflection(
                [Reflector(hostname="a.test")], options, manner(judge, overrides=overrides)
            )
            await reflection.ask_all(lambda _: None)
            return reflection.results

    (result,) = asyncio.run(run())
    assert (result.fitness, result.control_kind) == (Fitness.LOST, AnswerKind.CERTIFICATE)
    assert [each.outcome for each in result.names] == [NameOutcome.NOT_TOLD]


def test_addresses_come_from_the_resolver_and_are_kept(judge):
    async def run():
        resolver = Resolver([Table("127.0.0.1", "::1")])
        reach = Reach(manner(judge, resolver=resolver))
        found = await reach.locate(Target("a.test"))
        await resolver.aclose()
        return found, reach.dns

    found, dns = asyncio.run(run())
    assert [str(endpoint) for endpoint in found] == ["127.0.0.1:443", "[::1]:443"]
    assert dns
    assert isinstance(dns[0], DNSObservation)
    assert isinstance(dns[0].answers[0], DNSAnswer)
