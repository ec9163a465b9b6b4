"""Which language the command speaks, and that its letters arrive."""

import io
import json
import os
import pty
import subprocess
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from gettext import NullTranslations

import pytest

from kzmitm._registry import names_in
from kzmitm.cli import spoken, verbs
from kzmitm.cli.campaign import actions as campaign_actions
from kzmitm.cli.lab import actions as lab_actions
from kzmitm.cli.ooni import actions as ooni_actions
from kzmitm.cli.terminal import prepare_streams, print_lines
from kzmitm.errors import UsageError
from kzmitm.report.language import catalogue_of
from kzmitm.report.line import Line

KAZAKH = "Әә Ғғ Ққ Ңң Өө Ұұ Үү Һһ Іі"


class Marked(NullTranslations):
    """A language in which every text begins with a Kazakh letter, so that it can be told from English."""

    def gettext(self, message):
        return f"қ{message}"

    def ngettext(self, msgid1, msgid2, n):
        return f"қ{msgid1 if n == 1 else msgid2}"


@pytest.fixture
def marked(monkeypatch):
    """Let Kazakh be that language, whatever is translated."""
    known = {"en": catalogue_of("en"), "kk": Marked(), "ru": catalogue_of("ru")}
    monkeypatch.setattr("kzmitm.cli.main.catalogue_of", known.__getitem__)


@pytest.mark.parametrize(
    "words",
    [
        ["--lang", "kk", "consent", "--help"],
        ["--lang=kk", "consent", "--help"],
        ["consent", "--lang", "kk", "--help"],
        ["consent", "--help", "--lang=kk"],
        ["-v", "--lang", "kk", "consent", "--help"],
        ["lab", "--lang", "kk", "profiles", "--help"],
        ["lab", "profiles", "--lang", "kk", "--help"],
        ["fingerprints", "list", "--lang", "kk", "--help"],
        ["--lang", "kk", "--help"],
    ],
)
def test_the_help_speaks_the_language_asked_for_anywhere(words, kzmitm, marked):
    ended = kzmitm(*words)
    assert ended.code == 0
    assert ended.out.startswith("қusage: kzmitm")
    assert "қshow this help message and exit" in ended.out


def test_the_environment_is_asked_where_nothing_is_given(kzmitm, marked, monkeypatch):
    monkeypatch.setenv("KZMITM_LANG", "kk")
    assert kzmitm("--help").out.startswith("қusage")
    assert kzmitm("--lang", "en", "--help").out.startswith("usage")
    monkeypatch.delenv("KZMITM_LANG")
    monkeypatch.setenv("LC_ALL", "kk_KZ.UTF-8")
    assert kzmitm("--help").out.startswith("қusage")


def test_a_language_that_is_none_is_a_bad_option(kzmitm):
    for words in (["--lang", "tlh", "consent"], ["consent", "--lang", "tlh"], ["consent", "--lang"]):
        ended = kzmitm(*words)
        assert ended.code == 2
        assert "--lang" in ended.err


def test_what_follows_is_left_to_another_command(kzmitm, marked):
    ended = kzmitm("lab", "run", "client", "--", "tool", "--lang", "kk")
    assert (ended.code, "қ" in ended.err) == (2, False)


PACKAGES = {"campaign": campaign_actions, "lab": lab_actions, "ooni": ooni_actions}
ASKED = [[verb] for verb in names_in(verbs)] + [
    [verb, action.replace("_", "-")] for verb, package in PACKAGES.items() for action in names_in(package)
]


@pytest.mark.parametrize("words", ASKED, ids=" ".join)
def test_no_word_of_the_help_stays_english(words, kzmitm, marked):
    ended = kzmitm(*words, "--help", "--lang", "kk")
    assert ended.code == 0
    text = " ".join(ended.out.split())
    assert f"қusage: kzmitm {' '.join(words)}" in text
    assert " show this help" not in text


def test_errors_speak_the_language(kzmitm, marked):
    assert kzmitm("--lang", "kk", "scna").err.startswith("қkzmitm: no such verb: scna; қdid you mean scan?")
    ended = kzmitm("--lang", "kk", "show", "/nonexistent")
    assert ended.err == "kzmitm: қ/nonexistent: no such file; қname the file or folder of a bundle\n"
    ended = kzmitm("--lang", "kk", "scan", "--rate")
    assert "қexpected one argument қ(a value that begins with - is written --rate=-1)" in ended.err


def test_an_error_with_values_is_said_in_the_language(kzmitm, marked, monkeypatch):
    def refuse(_args):
        raise UsageError("{path}: {why}", hint="see {path}", path="p", why=UsageError("no such file"))

    monkeypatch.setattr("kzmitm.cli.verbs.consent.run", refuse)
    assert kzmitm("--lang", "kk", "consent").err == "kzmitm: қp: қno such file; қsee p\n"


def test_documents_for_programs_stay_english(kzmitm, marked):
    english = kzmitm("lab", "profiles", "--json")
    assert kzmitm("--lang", "kk", "lab", "profiles", "--json").out == english.out
    assert json.loads(english.out)["profiles"][0]["lesson"].isascii()


@pytest.mark.parametrize("encoding", ["cp1251", "cp866", "cp437", "ascii", "latin-1", "koi8-r", "utf-8"])
def test_kazakh_letters_come_through_pipes_whatever_the_encoding(encoding):
    out, err = stream(encoding), stream(encoding)
    with redirected(out, err):
        prepare_streams()
        print_lines([Line(KAZAKH)])
        print_lines([Line(KAZAKH)], sys.stderr)
    for each in (out, err):
        each.flush()
        assert each.buffer.getvalue() == f"{KAZAKH}\n".encode()


@contextmanager
def redirected(out, err):
    with redirect_stdout(out), redirect_stderr(err):
        yield


def test_kazakh_letters_come_through_the_pipes_of_a_process(process, tmp_path):
    name = tmp_path / f"{KAZAKH.replace(' ', '')}.txt"
    code, _out, err = process("scan", "--list", name, PYTHONIOENCODING="cp1251", KZMITM_LANG="kk")
    assert code == 2
    assert name.name in err.decode("utf-8")


def on_terminal(encoding, script):
    """What a process writes on a terminal that it takes to be of this encoding."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "PYTHONIOENCODING": encoding, "TERM": "dumb"},
    ) as process:
        os.close(theirs)
        seen = b""
        try:
            while octets := os.read(ours, 4096):
                seen += octets
        except OSError:  # EIO: nobody holds the other end any more
            pass
        os.close(ours)
        assert process.wait(30) == 0
    return seen.decode(encoding)


@pytest.mark.parametrize("encoding", ["cp1251", "cp866", "ascii", "utf-8"])
def test_a_terminal_gets_an_escape_for_what_it_cannot_show_and_never_a_question_mark(encoding):
    script = (
        "from kzmitm.cli.terminal import prepare_streams, print_lines\n"
        "from kzmitm.report.line import Line\n"
        f"prepare_streams(); print_lines([Line({KAZAKH!r})])"
    )
    shown = "".join(on_terminal(encoding, script).split())
    escaped = KAZAKH.replace(" ", "").encode(encoding, "backslashreplace").decode(encoding)
    assert shown == escaped
    assert "?" not in shown


def stream(encoding):
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding)


@pytest.mark.parametrize(
    ("words", "locale", "encodings", "language"),
    [
        ([], "kk_KZ.UTF-8", ["utf-8", "utf-8"], "kk"),
        ([], "kk_KZ.CP1251", ["cp1251"], "en"),
        ([], "kk_KZ.UTF-8", ["utf-8", "cp866"], "en"),
        ([], "kk_KZ.UTF-8", [], "kk"),
        ([], "ru_RU.CP1251", ["cp1251"], "ru"),
        ([], "ru_RU", ["iso8859-1"], "en"),
        ([], "en_US", ["ascii"], "en"),
        (["--lang", "kk"], "ru_RU", ["cp1251"], "kk"),
    ],
)
def test_english_is_spoken_where_a_terminal_lacks_the_letters(words, locale, encodings, language):
    terminals = [stream(encoding) for encoding in encodings]
    assert spoken.shown_language(words, {"LANG": locale}, terminals) == language


def test_an_encoding_that_nobody_knows_has_no_letters():
    class Strange(io.StringIO):
        encoding = "of-mars"

    assert not spoken.has_letters("kk")(Strange())


@pytest.mark.parametrize("language", ["en", "ru", "kk"])
def test_what_is_typed_is_the_same_in_every_language(language, kzmitm):
    """Some names of verbs are words of texts too, as `roots`."""
    listed = kzmitm("--lang", language, "--help").out
    assert all(f"\n    {name}" in listed for name in names_in(verbs))
    assert "oONI" not in listed
