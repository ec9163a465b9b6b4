"""The fuzzer's entry over a fixed set of inputs, so that it keeps working and old findings stay fixed."""

import random

import pytest
from forged_server import (
    EMPTY_EXTENSIONS,
    certificate12,
    certificate13,
    handshake,
    hello12,
    message,
    record,
)
from fuzz_client import TARGETS, one_input

SEEDS = [
    b"\x00\x02" + handshake(hello12(0x002F), certificate12(b"leaf"), message(14, b"")),
    b"\x00\x12" + handshake(hello12(0xC02F), certificate12(b"leaf")) + record(21, b"\x02\x28"),
    b"\x00\x01" + b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"\x01\x00\x02" + bytes((len(EMPTY_EXTENSIONS),)) + EMPTY_EXTENSIONS,
    b"\x01\x01\x02\x28" + EMPTY_EXTENSIONS + certificate13(b"leaf", b"more") + b"\x01\x02\x01\x5a",
    b"\x02\x00" + handshake(hello12(0xC02F), certificate12(b"leaf")),
    b"\x03\x00\x04\x01" + bytes.fromhex("30143012020100300030003000300030000300"),
]


def _mutated():
    source = random.Random(2026)
    for seed in SEEDS:
        for _ in range(30):
            data = bytearray(seed)
            for _ in range(source.randint(1, 6)):
                data[source.randrange(1, len(data))] = source.randrange(256)
            yield bytes(data[: source.randint(5, len(data))])


@pytest.mark.parametrize("data", SEEDS, ids=range(len(SEEDS)))
def test_seeds(data):
    one_input(data)


def test_mutations_of_the_seeds():
    inputs = list(_mutated())
    assert {data[0] % len(TARGETS) for data in inputs} == set(range(len(TARGETS)))
    for data in inputs:
        one_input(data)
    one_input(b"")
