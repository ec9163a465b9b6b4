"""What a campaign tells Prometheus (https://prometheus.io/docs/practices/naming/): counts, and no names."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric

State = Callable[[], Mapping[str, Any]]
"""Gives the document of `kzmitm campaign status` of this moment."""


class CampaignCollector:
    """Collects from the state of a campaign whenever it is asked."""

    def __init__(self, state: State) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """The metrics of this moment."""
        yield from families(self._state())


def families(document: Mapping[str, Any]) -> Iterator[Metric]:
    """The metrics of a document of `kzmitm campaign status`."""
    labels = ["campaign", "round", "vantage"]
    name = document["name"]
    jobs = GaugeMetricFamily("kzmitm_campaign_jobs", "Jobs by what became of them", labels=[*labels, "state"])
    found = GaugeMetricFamily("kzmitm_campaign_results", "Results by verdict", labels=[*labels, "outcome"])
    for share in document["shares"]:
        values = [name, str(share["round"]), share["vantage"]]
        for state in ("done", "failed", "left"):
            jobs.add_metric([*values, state], share[state])
        for outcome, count in share["outcomes"].items():
            found.add_metric([*values, outcome], count)
    yield jobs
    yield found
    paused = GaugeMetricFamily(
        "kzmitm_campaign_paused", "1 while the campaign is paused", labels=["campaign"]
    )
    paused.add_metric([name], float(document["paused"]))
    yield paused
