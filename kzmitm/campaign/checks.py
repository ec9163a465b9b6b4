"""What is wrong with a campaign file as a whole, though each of its keys is right by itself. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from kzmitm.campaign.allotment import WORKER_URI, Weights, weights_of
from kzmitm.campaign.places import Path
from kzmitm.campaign.sections import EvidenceTargets, LimitsPart, VantagePart
from kzmitm.wording import Wording

MAX_VANTAGES = 1000
MAX_SPAN_S = 100 * 366 * 86400.0
"""Seconds from the first round to the last: beyond a century lie the ends of calendars."""

Found = Iterator[tuple[Path, str]]
"""Where, and what is wrong there and what to do."""


def contradictions(parts: Mapping[str, Any], vantages: tuple[VantagePart, ...]) -> Found:
    """What contradicts what."""
    targets = parts["targets"]
    if not (targets.lists or targets.files or targets.names):
        yield ("targets",), Wording("names no targets; give lists, files or names")
    yield from _of_limits(parts["limits"], has_table=parts["networks"].table is not None)
    yield from _of_rounds(parts)
    yield from _of_vantages(parts["limits"], vantages)
    store, evidence = parts["store"], parts["evidence"]
    if store.raw_rounds is not None and evidence.targets is EvidenceTargets.NONE:
        yield (
            ("store", "raw_rounds"),
            Wording(
                'would delete what was found, as evidence.targets is "none"; set "findings", '
                "or leave this out"
            ),
        )


def _of_limits(limits: LimitsPart, *, has_table: bool) -> Found:
    if limits.vantage_concurrency > limits.concurrency:
        yield (
            ("limits", "vantage_concurrency"),
            Wording(
                "is above limits.concurrency ({concurrency}), which holds for all together; lower it",
                concurrency=limits.concurrency,
            ),
        )
    for key in ("as_concurrency", "as_rate"):
        if getattr(limits, key) is not None and not has_table:
            yield (
                ("limits", key),
                Wording("needs networks.table, a file that tells which network an address is of"),
            )


def _of_rounds(parts: Mapping[str, Any]) -> Found:
    rounds = parts["rounds"]
    if rounds.count > 1 and rounds.jitter >= rounds.every:
        yield (
            ("rounds", "jitter"),
            Wording("must be shorter than rounds.every, or rounds would overtake each other"),
        )
    if rounds.count * rounds.every > MAX_SPAN_S:
        yield ("rounds", "count"), Wording("with rounds.every makes more than a century; lower one of them")


def _of_vantages(limits: LimitsPart, vantages: tuple[VantagePart, ...]) -> Found:
    if len(vantages) > MAX_VANTAGES:
        yield (
            ("vantages",),
            Wording("are more than {max_vantages}; make two campaigns", max_vantages=MAX_VANTAGES),
        )
    for index, each in enumerate(vantages):
        if (each.concurrency or 0) > limits.concurrency:
            yield (
                ("vantages", index, "concurrency"),
                Wording(
                    "is above limits.concurrency ({concurrency}), which holds for all together; lower it",
                    concurrency=limits.concurrency,
                ),
            )
        if each.workers > 1 and each.uri != WORKER_URI:
            yield (
                ("vantages", index, "workers"),
                Wording('is for vantages of uri = "{worker_uri}"; leave it out', worker_uri=WORKER_URI),
            )
        if each.workers > (each.concurrency or limits.vantage_concurrency):
            yield (
                ("vantages", index, "workers"),
                Wording("is above the concurrency of the vantage, of which each must have one"),
            )
    weights: Weights = weights_of(vantages)
    if weights.remote and limits.concurrency < weights.total:
        yield (
            ("limits", "concurrency"),
            Wording(
                "is below {total}, the number of places at work; raise it, as each must have one",
                total=weights.total,
            ),
        )
