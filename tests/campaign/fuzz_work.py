"""Coverage-guided fuzzing of what reads work, results, signed campaigns and shares of strangers.

python tests/campaign/fuzz_work.py -max_total_time=60

What is read must be written to the same, and nothing but the errors that the readers name may come out.
"""

import sys
import tempfile
from contextlib import nullcontext, suppress
from datetime import timedelta
from functools import cache, partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

try:
    import atheris
except ImportError:  # the seeds are a test of their own
    instrumented = nullcontext
else:
    instrumented = partial(atheris.instrument_imports, include=["kzmitm"])

with instrumented():
    from work_samples import AT, FILE, KEY, result_for, sample_plan

    from kzmitm.campaign.export import export_octets, parse_export
    from kzmitm.campaign.intake import Intake, Reason, RefusedError
    from kzmitm.campaign.plan import Share
    from kzmitm.campaign.remote_setup import item_of
    from kzmitm.campaign.work import WorkError, parse_item, parse_result
    from kzmitm.errors import UsageError
    from kzmitm.netio.nats_keys import NkeyError, parse_nkey
    from kzmitm.pki.registry import parse_registry
    from kzmitm.pki.store import pinned_store
    from kzmitm.resources import fingerprint_files, truststore_files
    from kzmitm.verdict.judge import Judge

PLAN = sample_plan()
SHARE = Share(1, "a")


@cache
def _parts():
    return parse_registry(fingerprint_files(())), pinned_store(truststore_files(), "mozilla")


def _judge():
    registry, store = _parts()
    return Judge(registry=registry, store=store)


def _refusal(data: bytes) -> str:
    """Why a result is refused, "" if it is not."""
    try:
        Intake(PLAN, SHARE, _judge, None).take(
            data, is_final=lambda _: False, began=AT, now=AT + timedelta(days=1)
        )
    except RefusedError as exc:
        return exc.reason
    return ""


def one(data: bytes) -> None:
    """Everything that reads a message, on these octets."""
    for parse in (parse_item, parse_result):
        try:
            value = parse(data)
        except WorkError:
            continue
        assert parse(value.encoded()) == value
    assert _refusal(data) != Reason.FAULT
    # The line alone, as if its signature held: else no fuzzer gets that far.
    line = data.replace(b"\n", b" ").replace(b"\r", b" ").decode("utf-8", "replace").encode()
    if line:
        with suppress(WorkError):
            assert _refusal(result_for(PLAN, 0, line=line).encoded()) != Reason.FAULT
    with suppress(UsageError):
        parse_export(data, "f")
    with suppress(NkeyError):
        parse_nkey(data.decode("latin-1"))


def seeds():
    job = PLAN.job(SHARE, 0)
    yield item_of(PLAN, job, attempt=1, benign=("example.org",)).encoded()
    result = result_for(PLAN, 0)
    yield result.encoded()
    yield result.line
    yield export_octets(FILE, PLAN, KEY)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="kzmitm-fuzz-") as corpus:
        for number, octets in enumerate(seeds()):
            (Path(corpus) / str(number)).write_bytes(octets)
        atheris.Setup([sys.argv[0], corpus, *sys.argv[1:]], one)
        atheris.Fuzz()
