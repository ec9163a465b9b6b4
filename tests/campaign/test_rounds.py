"""A run in this process: vantages that fail and come back, pauses, changes told of."""

import asyncio
import json
import socket

import pytest
from nats_support import REGISTRY, Authority, Sites, now, run

from kzmitm.campaign.file import parse_campaign
from kzmitm.campaign.hooks import tell
from kzmitm.campaign.plan import Plan, Share
from kzmitm.campaign.runner import Runner
from kzmitm.campaign.sections import HooksPart
from kzmitm.campaign.state import CampaignFolder, Versions
from kzmitm.campaign.target_table import TargetTable
from kzmitm.campaign.world import World
from kzmitm.model.target import Vantage
from kzmitm.netio.overrides import parse_overrides
from kzmitm.netio.pump import Limits
from kzmitm.netio.vantage import open_vantage
from kzmitm.pki.store import parse_store
from kzmitm.scan import Network, ScanOptions
from kzmitm.targets import parse_targets
from kzmitm.verdict.judge import Judge

HERE = Share(1, "here")


class Heard:
    """What a watcher heard."""

    def __init__(self):
        self.notes, self.results = [], []

    def on_share(self, share, *, left): ...

    def on_result(self, job, judged):
        self.results.append((job, judged))

    def on_note(self, _share, code, detail=""):
        self.notes.append((code, detail))

    @property
    def codes(self):
        return [code for code, _ in self.notes]


@pytest.fixture
def sites(tmp_path):
    made = Sites(Authority(tmp_path), 3)
    yield made
    made.close()


@pytest.fixture
def setting(tmp_path, sites):
    """Begin a campaign over the sites; gives how to make its runner, and its folder."""
    store = parse_store((tmp_path / "Test-Root.pem").read_bytes(), name="test", version="", date="")

    def make(more="", uri="direct:", **world):
        octets = (
            '[campaign]\nname = "camp"\ncontact = "c"\n[controls]\nevery = 0\n[evidence]\ntargets = "none"\n'
            f"[targets]\nnames = {json.dumps(sites.names)}\n"
            f'[[vantages]]\nname = "here"\nuri = "{uri}"\n{more}'
        ).encode()
        plan = Plan(
            parse_campaign(octets, name="t"), TargetTable(parse_targets(sites.names)), TargetTable(())
        )
        folder = CampaignFolder(tmp_path / "out", plan)
        folder.begin(octets, Versions("1", "1", "1", "1"))
        network = Network(link=open_vantage(uri), overrides=parse_overrides(sites.overrides, ()))
        heard = Heard()
        made = World(
            **{
                "networks": {"here": network},
                "judge": lambda: Judge(registry=REGISTRY, store=store),
                "options": ScanOptions(limits=Limits(5, 5, 5), concurrency=1, follow_ups=False),
                "now": now,
            }
            | world
        )
        return Runner(folder, made, heard), folder, heard

    return make


QUICK = '[limits]\nendpoint_gap = "0s"\nrate = 1000\nvantage_concurrency = 1\n'


def dead_port():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return gone.getsockname()[1]


def test_what_the_vantage_fails_is_tried_again_and_then_has_failed(setting):
    runner, folder, heard = setting(
        QUICK + "attempts = 2\n[stop]\nvantage_failures = 100\n", f"socks5h://127.0.0.1:{dead_port()}"
    )
    run(runner.run())
    state = folder.share_state(HERE)
    assert (state.done, state.failed, state.left) == (0, 3, 0)
    assert [judged for _, judged in heard.results] == [None] * 3
    again = Runner(folder, runner._world, heard, retry_failed=True)
    run(again.run())
    assert folder.share_state(HERE).failed == 3
    assert len(heard.results) == 6


def test_a_vantage_that_fails_so_often_waits_and_comes_back(setting):
    """While its share waits, the vantage is mended."""
    uri = f"socks5h://127.0.0.1:{dead_port()}"
    waits = []

    async def sleep(seconds):
        waits.append(seconds)
        if seconds >= 10:
            mended = made._world.networks["here"]
            made._world.networks["here"] = Network(link=open_vantage("direct:"), overrides=mended.overrides)
            await asyncio.sleep(0)
        else:
            await asyncio.sleep(3600)

    made, folder, heard = setting(QUICK + "[stop]\nvantage_failures = 2\n", uri, sleep=sleep)
    run(made.run())
    state = folder.share_state(HERE)
    assert (state.done, state.failed) == (3, 0)
    assert heard.codes.count("vantage_down") == 1


def test_an_unusable_vantage_is_told_of_once_and_used_when_it_is_usable(setting):
    answers = iter(["it alters TLS by itself", "it alters TLS by itself", ""])

    async def prove(_vantage):
        return next(answers)

    async def sleep(_seconds):
        await asyncio.sleep(0)

    runner, folder, heard = setting(QUICK, prove=prove, sleep=sleep)
    runner._world.networks["here"] = Network(
        link=open_vantage("direct:"),
        overrides=runner._world.networks["here"].overrides,
        labels=Vantage(asn="AS64500", cc="KZ"),
    )
    run(runner.run())
    assert heard.codes.count("vantage_unusable") == 1
    assert heard.codes.count("vantage_up") == 1
    assert folder.share_state(HERE).done == 3
    (found,) = (each for each in folder.events() if each.get("event") == "vantage_located")
    assert (found["asn"], found["cc"], found["round"]) == ("AS64500", "KZ", 1)


def test_paused_it_begins_nothing_and_then_goes_on(setting, sites):
    async def sleep(seconds):
        if folder.is_paused and "paused" in heard.codes:
            assert not sites.seen
            folder.pause(paused=False)
        await asyncio.sleep(min(seconds, 0.01))

    runner, folder, heard = setting(QUICK, sleep=sleep)
    folder.pause(paused=True)
    run(runner.run())
    assert heard.codes[:2] == ["paused", "resumed"]
    assert folder.share_state(HERE).done == 3


def test_stopped_between_rounds_it_ends_and_goes_on_with_the_next(setting):
    async def sleep(seconds):
        if seconds > 10:
            runner.stopping.set()
        await asyncio.sleep(3600)

    more = QUICK + '[rounds]\ncount = 2\nevery = "1d"\n'
    runner, folder, _ = setting(more, sleep=sleep)
    run(runner.run())
    assert folder.rounds_finished == {1}


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (("sh", "-c", "cat > /dev/null"), ""),
        (("sh", "-c", "exit 3"), "sh: ended with 3"),
        (("/no/such/command",), "/no/such/command: No such file or directory"),
        (("sh", "-c", "exec sleep 60"), "sh: did not end within 0 s"),
    ],
    ids=["takes it", "fails", "is not there", "hangs"],
)
def test_a_command_that_is_told(monkeypatch, command, why):
    if "sleep" in command[-1]:
        monkeypatch.setattr("kzmitm.campaign.hooks.TIMEOUT_S", 0.2)

    async def post(url, octets):
        return f"{url}: {len(octets) > 10}"

    hooks = HooksPart(on_finding=command)
    assert asyncio.run(tell({"id": "some alarm"}, hooks, post)) == why
    both = HooksPart(on_finding=command, webhook="u")
    assert asyncio.run(tell({"id": "some alarm"}, both, post)).endswith("u: True")
