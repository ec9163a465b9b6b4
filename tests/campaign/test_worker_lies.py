"""A worker that lies, floods or sends monsters spoils its own results and nobody else's."""

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
from nats_support import run, setting
from work_samples import OTHER_KEY, line_for, measurement_for, result_for

from kzmitm.campaign.plan import Share
from kzmitm.campaign.subjects import Subjects
from kzmitm.campaign.work import MAX_RESULT, parse_item
from kzmitm.model.target import Target
from kzmitm.netio.queue_access import QueueError, QueueFullError


@asynccontextmanager
async def rogue(made, vantage="a"):
    """A link with the credentials of a worker, and what to do with it left to the test."""
    await made.events.until(lambda events: "offered" in events.codes(vantage))
    queue = await made.server.queue(vantage)
    try:
        yield queue
    finally:
        await queue.close()


async def put(octets, message_id, queue, vantage="a"):
    await queue.put(Subjects("camp", vantage).result, octets, message_id)


def refusals(made):
    return [detail for _, code, detail in made.events.notes if code == "refused"]


def test_lies_are_refused_and_the_truth_is_kept(tmp_path):
    with setting(tmp_path, count=3, keys={}) as made:
        key = OTHER_KEY
        share_b = Share(1, "b")
        lies = [
            b"nonsense",
            b"[" * 100_000,
            result_for(made.plan, 0, key=key, job="f" * 32).encoded(),
            result_for(made.plan, 0, vantage="b", key=key).encoded(),
            result_for(made.plan, 0, key=key, line=line_for(made.plan.job(share_b, 0), key)).encoded(),
            result_for(
                made.plan,
                0,
                key=key,
                line=line_for(
                    made.plan.job(Share(1, "a"), 0), key, measurement=measurement_for(Target("x.example"))
                ),
            ).encoded(),
            replace(result_for(made.plan, 0, key=key), plan="0" * 64).encoded(),
        ]

        async def work():
            async with made.coordinator() as ended, made.worker("b"):
                async with rogue(made) as queue:
                    for number, lie in enumerate(lies):
                        await put(lie, str(number), queue)
                    await made.events.until(lambda _: len(refusals(made)) >= 6)
                async with made.worker("a"):
                    await ended

        run(work())
        for vantage in ("a", "b"):
            assert {each.outcome for each in made.stored(vantage).values()} == {"clean"}
        events = [each for each in made.campaign_folder().events() if each.get("event") == "refused"]
        assert [each["vantage"] for each in events] == ["a"]
        counted = {(reason, bool(name)): count for reason, name, count in events[0]["counts"]}
        assert counted["unreadable", False] == 2
        assert counted["other_target", True] == 1
        assert all(name in ("", key.public.fingerprint) for _, name, _ in events[0]["counts"])


def test_a_second_key_is_refused_and_named(tmp_path):
    with setting(tmp_path, count=2, vantages=("a",)) as made:

        async def work():
            async with made.coordinator() as ended, rogue(made) as queue:
                honest = result_for(made.plan, 0)
                await put(honest.encoded(), "1", queue)
                await made.events.until(lambda events: "worker_key" in events.codes("a"))
                await put(result_for(made.plan, 1, key=OTHER_KEY).encoded(), "2", queue)
                await made.events.until(lambda _: len(refusals(made)) == 1)
                await put(result_for(made.plan, 1).encoded(), "3", queue)
                await ended

        run(work())
        assert OTHER_KEY.public.fingerprint in refusals(made)[0]
        assert len(made.stored("a")) == 2


def test_results_given_thrice_count_once(tmp_path):
    with setting(tmp_path, count=3, vantages=("a",)) as made:

        async def work():
            async with made.coordinator() as ended, rogue(made) as queue:
                for number in (0, 1):
                    for again in range(3):
                        octets = result_for(made.plan, number).encoded()
                        await put(octets, f"{number}.{again}", queue)
                for again in range(3):
                    with suppress(QueueError):  # the share is done meanwhile
                        await put(result_for(made.plan, 2).encoded(), f"2.{again}", queue)
                await ended

        run(work())
        assert len(made.stored("a")) == 3
        assert len(made.events.results) == 3


def test_a_worker_that_takes_jobs_and_gives_nothing_fails_its_share_alone(tmp_path):
    with setting(tmp_path, count=3) as made:

        async def work():
            async with made.coordinator(ack_wait_s=0.4) as ended, made.worker("b"), rogue(made) as queue:
                names = Subjects("camp", "a")
                box = await queue.mailbox(names.work_stream, "a")

                async def swallow():
                    while True:
                        for message in await box.take(8, 0.2):
                            assert parse_item(message.octets).vantage == "a"
                            await message.done()

                swallowing = asyncio.create_task(swallow())
                await ended
                swallowing.cancel()

        run(work())
        assert {each.state for each in made.stored("a").values()} == {"failed"}
        assert {each.outcome for each in made.stored("b").values()} == {"clean"}


def test_a_message_larger_than_any_is_refused_by_the_server(tmp_path):
    with setting(tmp_path, count=1, vantages=("a",)) as made:

        async def work():
            async with made.coordinator() as ended:
                async with rogue(made) as queue:
                    with pytest.raises(QueueError):
                        await queue.put(Subjects("camp", "a").result, b"x" * (MAX_RESULT + 8192), "1")
                async with made.worker("a"):
                    await ended

        run(work())
        assert made.stored("a")[0].outcome == "clean"


def test_a_flood_fills_the_subject_of_its_worker_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("kzmitm.campaign.remote_setup.RESULTS_KEPT", 100)
    monkeypatch.setattr("kzmitm.campaign.worker.SIGN_OF_LIFE_S", 0.2)
    with setting(tmp_path, count=4) as made:
        full = asyncio.Event()

        async def flood(queue, largest):
            number = 0
            while True:
                number += 1
                try:
                    await put(largest, f"f{number}", queue)
                except QueueFullError:
                    full.set()
                    await asyncio.sleep(0.01)

        async def work():
            async with made.coordinator() as ended, rogue(made) as queue:
                monster = b'{"format":"' + b"[" * 60_000 + b'"}'
                floods = [asyncio.create_task(flood(queue, monster)) for _ in range(16)]
                async with made.worker("b"):
                    await made.events.until(
                        lambda events: sum(job.share.vantage == "b" for job, _ in events.results) == 4
                    )
                await full.wait()
                for each in floods:
                    each.cancel()
                async with made.worker("a"):
                    await ended

        run(work())
        assert {each.outcome for each in made.stored("b").values()} == {"clean"}
        assert {each.outcome for each in made.stored("a").values()} == {"clean"}
        assert len(refusals(made)) == 1


def test_a_worker_refuses_what_is_not_for_it(tmp_path):
    """A coordinator may be hostile, too: nothing of one's own network is a target."""
    heard = []
    with setting(tmp_path, count=1, vantages=("a",)) as made:
        made.plan.targets = type(made.plan.targets)(
            (Target("192.168.1.1"), Target("127.0.0.1"), Target(made.sites.names[0]))
        )

        async def work():
            hear = lambda code, detail: heard.append((code, detail))  # noqa: E731
            async with made.coordinator(ack_wait_s=0.4) as ended, made.worker("a", told=hear):
                await ended

        run(work())
        assert {each.state for each in made.stored("a").values()} == {"failed", "done"}
        assert {detail.split()[0] for code, detail in heard if code == "refused"} == {
            "192.168.1.1",
            "127.0.0.1",
        }
