"""What the streams and subjects of a campaign are called on a NATS server."""

from dataclasses import dataclass
from typing import Final

TAKER: Final = "coordinator"
"""The consumer of every stream of results."""


@dataclass(frozen=True, slots=True)
class Subjects:
    """What things are called on the server, for one vantage of a campaign."""

    campaign: str
    vantage: str

    @property
    def work_stream(self) -> str:
        return f"kzmitm-{self.campaign}-work"

    @property
    def result_stream(self) -> str:
        """Of this vantage alone: who fills it up fills nobody else's."""
        return f"kzmitm-{self.campaign}-result-{self.vantage}"

    @property
    def work(self) -> str:
        return f"kzmitm.{self.campaign}.work.{self.vantage}"

    @property
    def result(self) -> str:
        return f"kzmitm.{self.campaign}.result.{self.vantage}"

    @property
    def next_work(self) -> str:
        return f"$JS.API.CONSUMER.MSG.NEXT.{self.work_stream}.{self.vantage}"

    @property
    def acknowledge(self) -> str:
        return f"$JS.ACK.{self.work_stream}.{self.vantage}.>"

    @property
    def inbox(self) -> str:
        return f"_INBOX_{self.vantage}"
