"""The targets that a command line means, and what is said of those that mean none."""

import io
import os
import threading
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from kzmitm.cli.sources import registry_of
from kzmitm.cli.targets import DEFAULT_CONTROLS, default_count, select
from kzmitm.errors import UsageError


@pytest.fixture(scope="module")
def registry():
    return registry_of(())


@pytest.fixture
def choose(registry):
    with ExitStack() as stack:
        yield lambda words=(), lists=(): select(words, lists, registry, stack)


def test_words(choose):
    chosen = choose(["example.org", "https://пример.рф/x", "example.org", "[2001:db8::1]:8443"])
    assert list(map(str, chosen)) == ["example.org", "xn--e1afmkfd.xn--p1ai", "[2001:db8::1]:8443"]
    assert chosen.count == 3
    assert not chosen.gentle


def test_the_default_list_is_gentle_and_has_controls(choose, registry):
    chosen = choose()
    assert chosen.gentle
    assert not chosen.sensitive
    assert chosen.count == len(list(chosen)) == default_count(registry) <= 40
    assert str(list(chosen)[-DEFAULT_CONTROLS]) == registry.watchlists["controls"].names[0]


def test_a_sensitive_list_says_so(choose, registry):
    for name, entry in registry.watchlists.items():
        assert choose(lists=[name]).sensitive == ((name,) if entry.sensitive else ())


def test_lists_are_joined(choose, tmp_path):
    (tmp_path / "a").write_text("a.test\n# x\n\nb.test # y\n")
    (tmp_path / "b").write_text("c.test:8443\r\n")
    assert list(map(str, choose(lists=[str(tmp_path / "a"), str(tmp_path / "b")]))) == [
        "a.test",
        "b.test",
        "c.test:8443",
    ]


def test_a_list_from_stdin(choose, monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"a.test\nb.test\n")))
    chosen = choose(lists=["-"])
    assert [str(t) for t in chosen] == [str(t) for t in chosen] == ["a.test", "b.test"]


def test_a_list_from_a_named_pipe(choose, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("a.test\n",))
    writer.start()
    assert list(map(str, choose(lists=[str(pipe)]))) == ["a.test"]
    writer.join()


@pytest.mark.parametrize(
    ("words", "lists", "complaint"),
    [
        (["a.test"], ["default"], "not both"),
        (["a..test"], [], "a..test"),
        (["http://a.test"], [], "only https"),
        (["a.test:0"], [], "not a port"),
        (["a.test:99999"], [], "not a port"),
        (["\x1b[31m"], [], "not a"),
        ([], ["defualt"], "no list and no file"),
        ([], ["/"], "is a directory"),
    ],
)
def test_what_means_no_target_is_refused(words, lists, complaint, choose):
    with pytest.raises(UsageError, match=complaint):
        choose(words, lists)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "no targets"),
        (b"# only talk\n", "no targets"),
        (b"a.test\nb test\n", ":2: "),
        (b"a.test\n\xff\xfe\n", ":2: not UTF-8"),
        (b"a.test\n\n" + b"x" * 5000, ":3: "),
    ],
)
def test_a_bad_line_is_named_with_its_file(content, complaint, choose, tmp_path):
    (tmp_path / "list").write_bytes(content)
    with pytest.raises(UsageError, match=complaint) as caught:
        choose(lists=[str(tmp_path / "list")])
    assert str(tmp_path / "list") in str(caught.value)
