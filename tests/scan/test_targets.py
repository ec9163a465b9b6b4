import contextlib
import io
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kzmitm.errors import UsageError
from kzmitm.model.target import Target
from kzmitm.targets import MAX_LINE, parse_targets, read_targets, spooled_targets


@pytest.fixture
def listed(tmp_path):
    def make(content: bytes):
        path = tmp_path / "list.txt"
        path.write_bytes(content)
        return read_targets(path)

    return make


def test_a_list_as_people_write_it(listed):
    targets = listed(
        b"\xef\xbb\xbf# watched\r\nexample.com\r\n\r\n  example.org:8443  # office\nhttps://Example.NET/path#top\n"
        b"example.com\n\xd1\x8f\xd0\xbd\xd0\xb4\xd0\xb5\xd0\xba\xd1\x81.\xd1\x80\xd1\x84\n[2001:db8::1]:443"
    )
    expected = [
        Target("example.com"),
        Target("example.org", 8443),
        Target("example.net"),
        Target("xn--d1acpjx3f.xn--p1ai"),
        Target("2001:db8::1"),
    ]
    assert list(targets) == expected
    assert list(targets) == expected
    assert len(targets) == 5


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"a.example\nb c\n", ":2: "),
        (b"a.example\n\n\xff\xfe\n", ":3: not UTF-8"),
        (b"http://a.example\n", ":1: only https"),
        (b"a.example:0\n", ":1: not a port"),
        (b"a" * 300, ":1: not a host name"),
        (b"a.example\n" + b"b" * (MAX_LINE + 2), ":2: line longer"),
    ],
)
def test_bad_lines_are_named(listed, content, where):
    with pytest.raises(UsageError) as info:
        listed(content)
    assert where in str(info.value)
    assert "list.txt" in str(info.value)
    assert "\n" not in str(info.value)


def test_nothing_to_scan(listed, tmp_path):
    with pytest.raises(UsageError, match="no targets"):
        listed(b"# nothing\n\n")
    with pytest.raises(UsageError, match="cannot read"):
        read_targets(tmp_path / "missing")
    with pytest.raises(UsageError, match="cannot read"):
        read_targets(tmp_path)


def test_a_stream_is_checked_before_it_is_used():
    with spooled_targets(io.BytesIO(b"a.example\nb.example\n")) as targets:
        assert [t.hostname for t in targets] == ["a.example", "b.example"]
    with pytest.raises(UsageError, match="standard input:1"), spooled_targets(io.BytesIO(b"-\n")):
        pytest.fail("a bad list must not be handed out")


def test_words_of_a_command_line():
    assert parse_targets(["a.example", "b.example:1", "A.example"]) == (
        Target("a.example"),
        Target("b.example", 1),
    )
    with pytest.raises(UsageError, match="'b c'"):
        parse_targets(["a.example", "b c"])


def test_a_long_list_costs_no_memory(tmp_path):
    path = tmp_path / "long.txt"
    path.write_text("".join(f"host{i}.example\n" for i in range(1_000)))
    tracemalloc.start()
    try:
        targets = read_targets(path)
        assert sum(1 for _ in targets) == len(targets) == 1_000
        assert tracemalloc.get_traced_memory()[1] < 400 << 10
    finally:
        tracemalloc.stop()


@given(st.binary())
def test_any_content_is_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_bytes(content)
    with contextlib.suppress(UsageError):
        assert len(list(read_targets(path))) > 0
