"""Coverage-guided fuzzing of what traces and JARMs read: `python tests/wire/fuzz_packets.py [CORPUS]`.

Needs atheris. Whatever the octets are, packets and what they quote are read whole or are None, an answer to a
JARM hello has its five parts, and ten of them a hash.
"""

import sys

import atheris

with atheris.instrument_imports(include=["kzmitm.wire"]):
    from kzmitm.wire.jarm import hash_of, is_complete, read_answer
    from kzmitm.wire.quoted import parse_header, parse_message, parse_quoted, parse_segment

HEX = frozenset("0123456789abcdef")


def one_input(octets: bytes) -> None:
    for parse in (parse_header, parse_message, parse_quoted, parse_segment):
        found = parse(octets)
        assert found is None or 0 <= getattr(found, "ttl", 0) <= 255
    is_complete(octets)
    told = read_answer(octets)
    assert told.count("|") >= 3
    digest = hash_of([told] * 10)
    assert len(digest) == 62
    assert set(digest) <= HEX


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
