import platform
import socket

import pytest
from journal_samples import ENVIRONMENT, SCHEMAS

from kzmitm.evidence.environment import annotations, environment


@pytest.mark.parametrize(
    ("platform", "machine", "android", "expected"),
    [
        ("linux", "x86_64", False, ("linux", "amd64")),
        ("linux", "aarch64", True, ("android", "arm64")),
        ("android", "aarch64", True, ("android", "arm64")),
        ("darwin", "arm64", False, ("macos", "arm64")),
        ("win32", "AMD64", False, ("windows", "amd64")),
        ("freebsd14", "i386", False, ("freebsd", "386")),
        ("linux", "armv7l", False, ("linux", "arm")),
        ("plan9", "my-laptop", False, ("unknown", "unknown")),
    ],
)
def test_the_words_of_ooni_and_nothing_finer(platform, machine, android, expected):
    found = annotations(platform=platform, machine=machine, android=android)
    assert (found["platform"], found["architecture"]) == expected


def test_the_full_level_tells_what_a_run_needs_and_no_name():
    found = environment(**ENVIRONMENT)
    assert found == ENVIRONMENT
    document = {"schema": "kzmitm.environment/1.0", "version": "1.0", "salt": "0" * 32} | found
    SCHEMAS["environment"].validate(document)
    own = environment(
        system=platform.system(),
        release=platform.release(),
        machine=platform.machine(),
        python=platform.python_version(),
        libraries={},
        resolvers=(),
    )
    SCHEMAS["environment"].validate(document | own)
    assert socket.gethostname() not in own.values()


@pytest.mark.parametrize(
    "change", [{"salt": None}, {"salt": "0"}, {"libraries": {"x": 1}}, {"resolvers": [""]}, {"release": None}]
)
def test_its_schema_refuses(change):
    document = {"schema": "kzmitm.environment/1.0", "version": "1.0", "salt": "0" * 32} | ENVIRONMENT
    assert SCHEMAS["environment"].is_valid(document)
    assert not SCHEMAS["environment"].is_valid(document | change)
