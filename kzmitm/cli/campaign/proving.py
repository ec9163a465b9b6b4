"""Whether vantages may be measured from, and where they come out; asked before each of their shares."""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from random import SystemRandom

from kzmitm.campaign.sections import VantagePart
from kzmitm.cli import clock
from kzmitm.cli.terminal import say
from kzmitm.model.target import Target, Vantage
from kzmitm.report.language import _
from kzmitm.report.safe import harmless
from kzmitm.scan import Network, ScanOptions
from kzmitm.scan.proving import Locator, VantageProof, prove
from kzmitm.verdict.judge import Judge

PROVEN_WITH = 2
"""Controls that a vantage is proven with: one may be out of order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proving:
    """Proves vantages; what is found out of where they come out becomes part of `networks`."""

    networks: MutableMapping[str, Network]
    vantages: Mapping[str, VantagePart]
    controls: Sequence[Target]
    judge: Callable[[], Judge]
    options: ScanOptions
    locator: Locator | None = None
    _told: dict[str, str] = field(default_factory=dict)
    """What was said of each vantage last."""

    async def prove(self, vantage: str) -> str:
        """Why a vantage is not used; "" if names that nobody should touch come unaltered through it.

        This computer itself needs no proof: what it sees of the controls is a result. Where the vantage is
        asked for its place and is not where the campaign says, its results would bear false labels.
        """
        network = self.networks[vantage]
        if network.link.is_direct and self.locator is None:
            return ""
        gentle = replace(self.options, follow_ups=False, concurrency=1, stop_after=None)
        proof = await prove(
            network,
            self.controls,
            judge=self.judge(),
            options=gentle,
            rng=SystemRandom(),
            now=clock.now,
            locator=self.locator,
        )
        if not proof.is_usable:
            return "" if network.link.is_direct else _why(proof)
        return self._placed(vantage, network, proof) if self.locator is not None else ""

    def _placed(self, vantage: str, network: Network, proof: VantageProof) -> str:
        """Label what is measured by where the vantage comes out; why it is not used if that is elsewhere."""
        if proof.failure is not None:
            # Where the service is blocked, there is all the more to be measured.
            self._tell(vantage, _("where it comes out could not be learned: {why}").format(why=proof.failure))
            return ""
        part, known = self.vantages[vantage], Vantage()
        for declared, found, unknown in ((part.asn, proof.asn, known.asn), (part.cc, proof.cc, known.cc)):
            if declared is not None and found not in (unknown, declared):
                return _("it comes out at {found}, and the campaign says {declared}").format(
                    found=found, declared=declared
                )
        labels = replace(
            network.link.vantage,
            asn=proof.asn if proof.asn != known.asn else part.asn or known.asn,
            cc=proof.cc if proof.cc != known.cc else part.cc or known.cc,
        )
        self.networks[vantage] = replace(network, labels=labels)
        self._tell(vantage, _("it comes out at {asn}, {cc}").format(asn=labels.asn, cc=labels.cc))
        return ""

    def _tell(self, vantage: str, words: str) -> None:
        if self._told.get(vantage) != words:
            self._told[vantage] = words
            say(f"{vantage}: {harmless(words)}")


def _why(proof: VantageProof) -> str:
    if proof.alters_tls:
        return _("it alters TLS by itself")
    return proof.failure or _("no control could be verified through it")
