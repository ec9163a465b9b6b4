"""Workers over a real nats-server: every job one result, whatever breaks."""

import json

import zstandard
from nats_support import run, setting
from work_samples import KEY, OTHER_KEY, result_for

from kzmitm.campaign.receipts import read_receipts
from kzmitm.campaign.subjects import Subjects
from kzmitm.campaign.work import NAMESPACE
from kzmitm.evidence.signing.sshsig import verify


def lines_of(folder):
    octets = b"".join(path.read_bytes() for path in sorted(folder.glob("*.zst")))
    reader = zstandard.ZstdDecompressor().stream_reader(octets, read_across_frames=True)
    return reader.read().splitlines()


def test_two_workers_do_a_campaign(tmp_path):
    with setting(tmp_path, count=8) as made:

        async def work():
            async with made.coordinator() as ended, made.worker("a"), made.worker("b"):
                await ended

        run(work())
        for vantage in ("a", "b"):
            found = made.stored(vantage)
            assert sorted(found) == list(range(8))
            assert {each.outcome for each in found.values()} == {"clean"}
            assert "worker_key" in made.events.codes(vantage)
        assert set(made.sites.seen.values()) == {2}

        folder = tmp_path / "out" / "rounds" / "0001" / "a"
        lines = {json.loads(line)["annotations"]["campaign_job"]: line for line in lines_of(folder)}
        receipts = list(read_receipts(folder))
        assert len(receipts) == len(lines) == 8
        share = made.plan.shares(1)[0]
        for number, key, signature in receipts:
            line = lines[made.plan.job(share, number).id]
            assert verify(line, signature.encode(), NAMESPACE).line == key == made.keys["a"].public.line


def test_rounds_follow_each_other_and_a_result_is_of_one_alone(tmp_path):
    with setting(tmp_path, count=3, vantages=("a",), rounds=2) as made:

        async def work():
            async with made.coordinator() as ended:
                await made.events.until(lambda events: "offered" in events.codes("a"))
                queue = await made.server.queue("a")
                for number in range(3):
                    old = result_for(made.plan, number)
                    await queue.put(Subjects("camp", "a").result, old.encoded(), f"first {number}")
                await made.events.until(lambda events: events.codes("a").count("offered") == 2)
                for number in range(3):
                    replayed = result_for(made.plan, number)
                    await queue.put(Subjects("camp", "a").result, replayed.encoded(), f"again {number}")
                await made.events.until(lambda events: "refused" in events.codes("a"))
                for number in range(3):
                    new = result_for(made.plan, number, round_number=2)
                    await queue.put(Subjects("camp", "a").result, new.encoded(), f"second {number}")
                await ended
                await queue.close()

        run(work())
        for number in (1, 2):
            assert sorted(made.stored("a", number=number)) == [0, 1, 2]
        refused = [each for each in made.campaign_folder().events() if each.get("event") == "refused"]
        assert [(each["round"], each["counts"][0][0]) for each in refused] == [(2, "other_share")]
        assert made.events.codes("a").count("worker_key") == 1


def test_a_key_in_the_file_is_the_only_one(tmp_path):
    with setting(tmp_path, count=2, vantages=("a",), keys={"a": KEY}) as made:

        async def work():
            async with made.coordinator() as ended:
                await made.events.until(lambda events: "offered" in events.codes("a"))
                queue = await made.server.queue("a")
                foreign = result_for(made.plan, 0, key=OTHER_KEY)
                await queue.put(Subjects("camp", "a").result, foreign.encoded(), "1")
                await made.events.until(lambda events: "refused" in events.codes("a"))
                await queue.close()
                async with made.worker("a"):
                    await ended

        run(work())
        assert {each.outcome for each in made.stored("a").values()} == {"clean"}
