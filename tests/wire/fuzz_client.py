"""Coverage-guided fuzzing of every parser of `wire`: python tests/wire/fuzz_client.py [libFuzzer options].

Needs atheris in the environment. The first octet of an input says what the rest is: records for a client
of one of the profiles, messages under TLS 1.3's handshake keys, or a certificate to take a key from.
An input is good if nothing raises, the driver ends, and its findings make an observation.
"""

import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

try:
    import atheris
except ImportError:  # only the fuzzer's own environment has it, and its inputs are tests too
    instrumented = nullcontext
else:
    instrumented = partial(atheris.instrument_imports, include=["kzmitm"])

with instrumented():
    from forged_server import Forger13, client, seeded
    from wire_support import observe

    from kzmitm.model.observation import ProofKind
    from kzmitm.wire.limits import MAX_CERTIFICATES
    from kzmitm.wire.openssl import OpenSSLClient
    from kzmitm.wire.profiles import PROFILES
    from kzmitm.wire.proof import check_signature

FAILURES = {None, "ssl_failed_handshake", "ssl_invalid_hostname", "eof_error"}
_NAMES = sorted(PROFILES)


def _judge(driver) -> None:
    driver.receive_eof(1.0)
    assert driver.done
    seen = observe(driver)
    assert seen.failure in FAILURES
    assert len(seen.presented_chain) <= MAX_CERTIFICATES
    assert seen.failure is not None or seen.version


def _records(data: bytes) -> None:
    driver = client(_NAMES[data[0] % len(_NAMES)], rng=seeded())
    driver.start()
    step = data[0] // 16 * 7 + 1
    for start in range(1, len(data), step):
        driver.receive(data[start : start + step], 0.0)
    _judge(driver)


def _protected(data: bytes) -> None:
    """Each octet pair gives the content type and the length of one protected record."""
    driver = client(rng=seeded())
    forger = Forger13(driver, 0x1301 + data[0] % 3)
    driver.receive(forger.open(), 0.0)
    offset = 1
    while offset + 2 < len(data):
        end = offset + 2 + data[offset + 1]
        kind = 20 + data[offset] % 4
        driver.receive(forger.server.seal(kind, data[offset + 2 : end]), 0.0)
        offset = end
    _judge(driver)


def _openssl(data: bytes) -> None:
    driver = OpenSSLClient(sni=None, profile=PROFILES["small"])
    driver.receive(data[1:], 0.0)
    driver.receive_eof(1.0)
    assert driver.done
    observe(driver)


def _leaf(data: bytes) -> None:
    kind = ProofKind.TLS13 if data[0] & 1 else ProofKind.TLS12
    assert check_signature(data[3:], kind, data[1] << 8 | data[2], b"", b"") is not True


TARGETS: tuple[Callable[[bytes], None], ...] = (_records, _protected, _openssl, _leaf)


def one_input(data: bytes) -> None:
    """Run one input; raises if it is a finding."""
    if len(data) > 4:
        TARGETS[data[0] % len(TARGETS)](data[1:])


def main() -> None:
    """Hand over to libFuzzer."""
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
