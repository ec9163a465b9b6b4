"""Coverage-guided fuzzing of what the interceptor parses: packets, hellos, netlink, its configuration.

python tests/lab/fuzz_interceptor.py -max_total_time=60
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
    from kzmitm.errors import UsageError
    from kzmitm.lab.interceptor.config import parse_config
    from kzmitm.lab.interceptor.hello import parse_hello
    from kzmitm.lab.interceptor.nfnetlink import parse_messages
    from kzmitm.lab.interceptor.packets import build_reset, parse_options, parse_segment
    from kzmitm.lab.parts.on_path import answering_reset


def _packet(data: bytes) -> None:
    segment = parse_segment(data)
    if segment is None:
        return
    parse_options(segment.options)
    for reset in (build_reset(data, segment, 7), answering_reset(data, segment)):
        again = parse_segment(reset)
        assert again is not None
        assert again.payload == b""


def _options(data: bytes) -> None:
    parse_options(data)


def _hello(data: bytes) -> None:
    whole = parse_hello(data)
    if data:
        parse_hello(data[:-1])
    assert parse_hello(data) == whole


def _netlink(data: bytes) -> None:
    list(parse_messages(data))


def _configuration(data: bytes) -> None:
    try:
        parse_config(data.decode("utf-8", "replace"))
    except UsageError as refused:
        assert "\n" not in str(refused)  # noqa: PT017


TARGETS: tuple[Callable[[bytes], None], ...] = (_packet, _options, _hello, _netlink, _configuration)


def one_input(data: bytes) -> None:
    """Run one input; raises if it is a finding."""
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


def main() -> None:
    """Hand over to libFuzzer."""
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
