"""The shipped registry and store with the real certificates."""

import base64
import functools
from pathlib import Path

import pytest
from verdict_world import CACHE, EGOV_ROOT_DER, HOST, NOW, context_of, handshake, leaf, measured, under

from kzmitm.model.verdict import Confidence, Outcome, Scope
from kzmitm.pki.registry import parse_registry
from kzmitm.pki.store import pinned_store
from kzmitm.resources import fingerprint_files, truststore_files
from kzmitm.verdict.engine import judge
from kzmitm.verdict.facts import derive

CERTS = Path(__file__).resolve().parents[3] / "shared" / "certs"
KAZAKH = (
    "00309c736dd661da",
    "61c0fc2e38b5b6f9",
    "1df696f021ab1c3a",
    "0230a604d99220e5",
    "06fd20629c143b9e",
    "0bd39de4793cdc11",
    "c95c133b68319ee5",
    "c530fadc9bfa265e",
    "89107c8e50e029b7",
    "235150de7df7db2e",
)
E_SIGNATURE = (
    "9ba06354b6266417",
    "84fb799a66140950",
    "a7064abc5699827f",
    "34d1b311a9873191",
    "af77725f8328bb24",
)


@functools.cache
def shipped():
    return parse_registry(fingerprint_files()), pinned_store(truststore_files())


def der(prefix):
    found = list(CERTS.glob(f"{prefix}*.pem"))
    if not found:
        pytest.skip("the real certificates (../shared/certs) are not here")
    lines = found[0].read_text().splitlines()
    return base64.b64decode("".join(line for line in lines if not line.startswith("-----")))


def verdict(chain, host=HOST):
    known, trusted = shipped()
    facts = derive(
        measured(handshake(chain, sni=host), host=host),
        registry=known,
        store=trusted,
        control={},
        cache=CACHE,
        now=NOW,
    )
    return judge(facts, context_of(facts))


@pytest.mark.parametrize("root", KAZAKH)
def test_each_kazakh_root(root):
    """As OONI's engine keeps a chain: the topmost certificate alone."""
    found = verdict((der(root),))
    assert (found.outcome, found.confidence, found.scope) == (
        Outcome.INTERCEPTION,
        Confidence.CONFIRMED,
        Scope.STATE,
    )
    assert found.authority.country == "KZ"
    assert found.authority.matched_sha256.startswith(f"certificate:{root}")


@pytest.mark.parametrize("root", KAZAKH)
def test_a_kazakh_root_beside_a_foreign_leaf_is_no_proof(root):
    found = verdict((leaf(HOST, "CN=Unrelated CA"), der(root)))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "known_ca.beside_the_chain" in found.rule_ids


@pytest.mark.parametrize("ca", E_SIGNATURE)
@pytest.mark.parametrize("host", ["nca.pki.gov.kz", "example.kz"])
def test_the_e_signature_pki_is_no_interception_at_home(ca, host):
    assert verdict((der(ca),), host).outcome is not Outcome.INTERCEPTION


@pytest.mark.parametrize("ca", E_SIGNATURE[:2])
def test_the_e_signature_pki_on_its_own_service_is_expected(ca):
    found = verdict((der(ca),), "nca.pki.gov.kz")
    assert found.outcome is Outcome.ORIGIN_MISCONFIGURED
    assert found.rule_ids[0].startswith("state_pki.own_government_host")


def test_the_e_signature_pki_abroad_is_suspicious():
    found = verdict((der(E_SIGNATURE[0]),), "www.example.com")
    assert (found.outcome, found.confidence) == (Outcome.INTERCEPTION, Confidence.LIKELY)
    assert found.rule_ids[0] == "state_pki.foreign_host"


def test_a_stranger_is_a_stranger():
    found = verdict(under("C=KZ, CN=Look-alike eGov Root", EGOV_ROOT_DER))
    assert (found.outcome, found.authority) == (Outcome.INCONCLUSIVE, None)


def test_no_public_root_is_somebody_we_accuse():
    known, trusted = shipped()
    for anchor in trusted.anchors:
        assert anchor.sha256 not in known.by_sha256
        assert anchor.spki_sha256 not in known.by_spki
        assert verdict((anchor.der,)).outcome is not Outcome.INTERCEPTION
