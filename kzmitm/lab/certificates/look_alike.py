"""CAs that forge: look-alikes of real ones, with other keys and a mark that they are the laboratory's."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from kzmitm.lab.certificates.forging import LeafRule, forge, new_key
from kzmitm.lab.certificates.pki import Credential, distinguished_name, make_ca, rsa_key

MARK = "LAB LOOK-ALIKE"
"""In the names of every look-alike: as its organisation, or as its unit where it has one already."""

ENDED = timedelta(days=40)
"""How long ago an intermediate ran out, where that is asked for. Those of 2021 to 2024 were used for months
after their end (OONI 2024)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CANames:
    """What a forging CA calls itself."""

    root: str
    intermediate: str
    country: str = "KZ"
    organization: str = ""

    def distinguished(self, common_name: str) -> x509.Name:
        """The whole name of one of its certificates, with the mark."""
        whose = {"O": self.organization, "OU": MARK} if self.organization else {"O": MARK}
        return distinguished_name(C=self.country, **whose, CN=common_name)


QAZNET = CANames(root="Qaznet Trust Network", intermediate="Security Certificate")
"""As in 2019 (Raman et al., IMC 2020)."""


class LookAlikeCA:
    """A root and an intermediate that forge, by default with the look of the Kazakh chain of 2019.

    RSA throughout, as the interceptors need it. The root has 2048 bits where the real one has 4096:
    nothing that is shown depends on it, and it is made eight times faster.
    """

    def __init__(self, now: datetime, names: CANames = QAZNET, *, has_expired: bool = False) -> None:
        """`has_expired`: the intermediate ran out, as those of 2021 to 2024 did while they were used."""
        self.root = make_ca(names.distinguished(names.root), key=rsa_key(), now=now)
        self.intermediate = make_ca(
            names.distinguished(names.intermediate),
            key=rsa_key(),
            now=now,
            issuer=self.root,
            ended=ENDED if has_expired else timedelta(),
        )

    def forge(self, genuine: x509.Certificate) -> Credential:
        """A leaf as in the summer of 2019, presented with the intermediate but not the root."""
        rule = LeafRule.LATE_2019
        return forge(genuine, issuer=self.intermediate, rule=rule, key=new_key(rule))
