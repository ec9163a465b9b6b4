"""What becomes of a client after given answers."""

from forged_server import client, message, seeded
from wire_support import observe

LEAF = b"a certificate"
DONE = message(14, b"")
RSA_SUITE, ECDHE_SUITE, DHE_SUITE = 0x002F, 0xC02F, 0x009E


def ending(*answers: bytes, profile: str = "small", **keywords):
    """The observation after these answers, and what was said back."""
    driver = client(profile, rng=seeded(), **keywords)
    driver.start()
    said = b"".join(driver.receive(answer, 0.0) for answer in answers)
    return observe(driver), said


def refused(*answers: bytes, detail: str, alert: int | None = None, **keywords):
    """The same, expecting that the handshake is broken off for `detail`."""
    seen, said = ending(*answers, **keywords)
    assert seen.failure == "ssl_failed_handshake"
    assert detail in seen.detail
    if alert is not None:
        assert [(a.description, a.sent) for a in seen.alerts][-1] == (alert, True)
        assert said[-2:] == bytes((2, alert))
    return seen
