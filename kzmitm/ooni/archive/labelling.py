"""The node of OONI's ontology for a case of the archive."""

from kzmitm.model.verdict import Outcome
from kzmitm.ooni.archive.cases import Case
from kzmitm.ooni.archive.failures import Kind
from kzmitm.ooni.experiment import OTHER_NAME
from kzmitm.verdict.labels import NETWORK_CUTS


def label_of(outcome: Outcome | None, case: Case) -> str:
    """The deepest node of OONI's ontology that the evidence supports."""
    if outcome is Outcome.DNS_HIJACK:
        return "dns.injection.bogon" if case.situation.private else "dns.injection"
    if outcome is Outcome.BLOCKED:
        node = NETWORK_CUTS.get(case.failure)
        if node is None:
            return "tls.alert" if "remote error: tls" in case.failure else "tls"
        return "tls.reset.sni" if node == "tls.reset" and case.situation.role == OTHER_NAME else node
    if case.kind is Kind.NONE or outcome not in (Outcome.INTERCEPTION, Outcome.INCONCLUSIVE):
        return ""
    if case.facts is None or outcome is Outcome.INCONCLUSIVE:
        return "tls"
    return "tls.mitm.self_signed" if case.facts.is_self_signed else "tls.mitm.ca_signed"
