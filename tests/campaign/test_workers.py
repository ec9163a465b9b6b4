"""Workers over a real nats-server: every job one result, whatever breaks."""

import json

import zstandard
from nats_support import run, setting

from kzmitm.campaign.receipts import read_receipts
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
