import pytest

from kzmitm.evidence.environment import annotations


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
