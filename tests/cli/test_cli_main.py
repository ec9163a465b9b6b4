"""How the command ends: exit codes, one line of complaint, and nothing written for bad input."""

import argparse
import logging
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from kzmitm import __version__
from kzmitm._registry import discover, names_in
from kzmitm.cli import clock, exits, verbs
from kzmitm.cli.lab import actions as lab_actions
from kzmitm.cli.main import main
from kzmitm.cli.ooni import actions as ooni_actions
from kzmitm.cli.parser import build_parser
from kzmitm.errors import (
    BundleError,
    ConsentError,
    FingerprintError,
    KzmitmError,
    UnreachedError,
    UsageError,
)

VERBS = [module.__name__.rpartition(".")[2] for module in discover(verbs)]


def test_version(kzmitm):
    assert kzmitm("--version").out == f"kzmitm {__version__}\n"


def test_help_names_every_verb_and_every_exit_code(kzmitm):
    shown = kzmitm("--help")
    assert shown.code == 0
    assert all(verb in shown.out for verb in VERBS)
    assert all(f"  {int(code)} " in shown.out for code in exits.Exit)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb, kzmitm):
    shown = kzmitm(verb, "--help")
    assert shown.code == 0
    assert shown.out.startswith(f"usage: kzmitm {verb}")
    assert shown.err == ""


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "required: VERB"),
        (["scna"], "did you mean scan?"),
        (["\x1b[31m"], "no such verb: \\x1b[31m"),
        (["show"], "no result was given"),
        (["show", "/nonexistent"], "/nonexistent: no such file"),
        (["show", "/"], "/: not a bundle"),
        (["verify", "/etc"], "/etc: not a bundle"),
        (["verify", "/nonexistent"], "/nonexistent: no such file"),
        (["verify", "x", "--signer", "SHA256:short"], "--signer: no fingerprint"),
        (["share", "x"], "required: --level"),
        (["schema", "poem"], "no schema 'poem'"),
        (["judge", "/nonexistent"], "/nonexistent: no such file"),
        (["fingerprints"], "required: ACTION"),
        (["fingerprints", "show", "nobody"], "nobody: no authority has this id or hash"),
        (["fingerprints", "match", "/nonexistent"], "/nonexistent: No such file"),
        (["fingerprints", "match", __file__], "no certificate is in it"),
        (["fingerprints", "list", "--fingerprints", "/nonexistent"], "/nonexistent is not a directory"),
        (["purge", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["consent", "--show", "--revoke"], "not allowed with"),
    ],
    ids=lambda value: " ".join(value)[-40:] if isinstance(value, list) else None,
)
def test_bad_input_gets_one_line_and_exit_2(words, complaint, kzmitm, home):
    ended = kzmitm(*words)
    assert ended.code == 2
    assert complaint in ended.err
    assert ended.err.count("\n") == 1
    assert ended.out == ""
    assert not home.exists()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("u"), 2),
        (BundleError("b"), 2),
        (FingerprintError("f"), 2),
        (ConsentError("c"), 4),
        (UnreachedError("u"), 3),
        (KzmitmError("k"), 70),
    ],
)
def test_every_exception_of_ours_has_an_exit_code(error, code):
    assert exits.exit_code(error) == code


@pytest.fixture
def verb_that(monkeypatch):
    """Put a verb `test` into the command that ends as told."""

    def install(run):
        module = ModuleType("kzmitm.cli.verbs.test", "Ends as told.")
        module.configure = lambda _parser: None
        module.run = run
        monkeypatch.setattr("kzmitm.cli.main.names_in", lambda _package: ("test",))
        monkeypatch.setattr("kzmitm.cli.main.load", lambda _package, _name: module)

    return install


def raising(error):
    def run(_args):
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code", "complaint"),
    [
        (UsageError("list.txt:7: empty", hint="remove it"), 2, "kzmitm: list.txt:7: empty; remove it\n"),
        (ConsentError("no"), 4, "kzmitm: no\n"),
        (KeyboardInterrupt(), 3, "kzmitm: stopped\n"),
        (BrokenPipeError(), 3, ""),
        (PermissionError(13, "Permission denied", "/x"), 2, "kzmitm: /x: Permission denied\n"),
        (ZeroDivisionError("\x1b[2J"), 70, "kzmitm: a fault of ours: ZeroDivisionError: \\x1b[2J; "),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_every_end_is_one_line(error, code, complaint, verb_that, kzmitm):
    verb_that(raising(error))
    ended = kzmitm("test")
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith(complaint)
    assert ended.err.count("\n") == bool(complaint)


@pytest.mark.parametrize("words", [["-v", "test"], ["test", "-v"], ["test", "--verbose"]])
def test_a_fault_of_ours_has_its_traceback_when_asked(words, verb_that, kzmitm):
    verb_that(raising(ZeroDivisionError("x")))
    assert "Traceback" in kzmitm(*words).err


def test_log_lines_are_harmless(verb_that, kzmitm):
    def run(_args):
        logging.getLogger("kzmitm.x").error("a\x1b[31m\nb")
        return 0

    verb_that(run)
    assert kzmitm("test").err == "kzmitm.x: a\\x1b[31m\nb\n"


def test_a_new_verb_is_one_module():
    module = ModuleType("kzmitm.cli.verbs.sing", "Sing a song.\n\nLoudly.")
    module.configure = lambda parser: parser.add_argument("--loud", action="store_true")
    module.run = lambda _args: 0
    parser = build_parser({"sing": module})
    assert parser.parse_args(["sing", "--loud"]).loud
    assert "sing a song" in parser.format_help()
    with pytest.raises(SystemExit):
        parser.parse_args(["sing", "--lou"])  # no abbreviations: they would break when an option is added


def test_a_reader_that_leaves_is_no_fault():
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m kzmitm fingerprints list | head -1; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        check=False,
    )
    assert done.stderr == b""
    assert done.returncode in {0, 3}


@pytest.mark.parametrize(
    ("words", "closed", "code", "said"),
    [
        ("fingerprints list", "<&-", 0, b""),
        ("fingerprints list", "2>&-", 0, b""),
        ("fingerprints nonsense", "2>&-", 2, b""),
        ("fingerprints list", ">&-", 70, b"Bad file descriptor"),
        ("fingerprints list", "<&- >&- 2>&-", 70, b""),
        ("ooni convert -", "<&-", 2, b"Bad file descriptor"),
        ("ooni query - --from FOLDER", "<&-", 2, b"Bad file descriptor"),
        ("ooni analyze - --jobs 1", "<&-", 3, b"stdin:0: Bad file descriptor"),
    ],
)
def test_a_stream_that_is_closed_is_no_fault_of_ours(words, closed, code, said, tmp_path):
    (tmp_path / "verdicts").mkdir()
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m kzmitm {words.replace('FOLDER', str(tmp_path))} {closed}"],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, said in done.stderr, done.stderr.count(b"\n")) == (code, True, bool(said))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_result_that_could_not_be_written_is_no_success(unbuffered):
    """Whether the first octets fail or the last ones: one line."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "kzmitm", "fingerprints", "list"],
            stdout=full,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            check=False,
        )
    assert done.returncode == 70
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("closed", "code", "lines"),
    [
        (">&-", 70, 1),  # never a traceback, whose exit code would be that of a finding
        ("2>&-", 0, 0),
        ("<&-", 0, 0),
        ("<&- >&- 2>&-", 70, 0),
    ],
)
def test_streams_that_are_closed_from_the_start(closed, code, lines):
    command = f"exec {sys.executable} -m kzmitm fingerprints list {closed}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert (done.returncode, done.stderr.count(b"\n")) == (code, lines), done.stderr
    assert bool(done.stdout) == (code == 0)


@pytest.mark.parametrize("encoding", ["cp1251", "cp866", "ascii", "latin-1"])
def test_kazakh_letters_pass_a_pipe_of_any_encoding(encoding, process):
    code, out, err = process("fingerprints", "show", "kz-nuc-rk", PYTHONIOENCODING=encoding)
    assert (code, err) == (0, b"")
    assert "КУӘЛАНДЫРУШЫ" in out.decode("utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2019-07-20T12:00:00Z", "2019-07-20T12:00:00+00:00"),
        ("2019-07-20", "2019-07-20T00:00:00+00:00"),
        ("2019-07-20T12:00:00+06:00", "2019-07-20T06:00:00+00:00"),
    ],
)
def test_a_time_is_utc(text, shown):
    assert clock.parse_time(text).isoformat() == shown


@pytest.mark.parametrize("text", ["yesterday", "", "2019-13-01", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(UsageError):
        clock.parse_time(text)


def test_the_clock_knows_its_zone():
    assert clock.now().tzinfo is not None


def test_main_returns_what_argparse_says():
    assert main(["--help"]) == 0
    assert issubclass(argparse.ArgumentTypeError, Exception)


@pytest.mark.parametrize(
    ("words", "loaded"),
    [
        (["ooni", "query", "--help"], {"query"}),
        (["ooni", "analyze", "--out", "nowhere"], {"analyze"}),
        (["ooni", "--help"], set()),
        (["ooni", "analyse"], {"analyze", "convert", "emit", "fetch", "merge", "query", "upload"}),
    ],
)
def test_only_the_action_that_is_asked_for_is_loaded(words, loaded):
    code = (
        "import sys; from kzmitm.cli.main import main; main(sys.argv[1:]);"
        "known = [name for name in sys.modules if name.startswith('kzmitm.cli.ooni.actions.')];"
        "print(*known, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, check=True, text=True)
    last = done.stderr.splitlines()[-1].split()
    assert {name.rpartition(".")[2] for name in last} == loaded


@pytest.mark.parametrize(("verb", "package"), [("ooni", ooni_actions), ("lab", lab_actions)])
def test_a_list_of_actions_has_all_of_them(kzmitm, verb, package):
    listed = kzmitm(verb, "--help").out
    assert [name for name in names_in(package) if f"  {name.replace('_', '-')} " not in listed] == []
