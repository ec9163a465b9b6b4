"""Where the command starts and ends: every end has an exit code and at most one line of complaint."""

import logging
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

from kzmitm._registry import load, names_in
from kzmitm.cli import verbs
from kzmitm.cli.exits import Exit, exit_code
from kzmitm.cli.parser import build_parser, unknown_verb
from kzmitm.cli.spoken import first_word, language_of, shown_language
from kzmitm.cli.terminal import prepare_streams
from kzmitm.errors import KzmitmError
from kzmitm.report.language import VARIABLE, _, catalogue_of, speaking
from kzmitm.report.safe import harmless, harmless_lines

MAX_COMPLAINT = 400
"""Characters of one line of complaint."""


def run() -> NoReturn:
    """The `kzmitm` command."""
    prepare_streams()
    terminals = [stream for stream in (sys.stdout, sys.stderr) if stream is not None and stream.isatty()]
    # Here, and in all that is started from here.
    os.environ[VARIABLE] = shown_language(sys.argv[1:], os.environ, terminals)
    code = _flush(main(sys.argv[1:]))
    # A resolver thread that waits for a dead network would hold up an ordinary exit for half a minute.
    os._exit(code)


def main(argv: Sequence[str]) -> int:
    """Do what the words say; returns the exit code and raises nothing."""
    with speaking(catalogue_of(language_of(argv, os.environ)), in_threads=True):
        return _end(argv)


def _end(argv: Sequence[str]) -> int:
    verbose = "-v" in argv or "--verbose" in argv
    try:
        return _dispatch(list(argv))
    except SystemExit as exc:  # argparse, after --help or its one line
        return exc.code if isinstance(exc.code, int) else Exit.OK
    except KeyboardInterrupt:
        _complain(_("stopped"))
        return Exit.UNDECIDED
    except BrokenPipeError:
        return Exit.UNDECIDED  # who read the pipe has gone; nobody is left to tell
    except KzmitmError as exc:
        _complain(_advised(_(str(exc)), _(exc.hint)))
        return exit_code(exc)
    except OSError as exc:
        if exc.filename:
            _complain(f"{exc.filename}: {_(exc.strerror or str(exc))}")
            return Exit.USAGE
        _complain(_("could not go on: {why}").format(why=_(exc.strerror or str(exc))))
        return Exit.FAULT
    except Exception as exc:  # noqa: BLE001 (the last line of defence: no traceback for volunteers)
        if verbose:
            import traceback  # noqa: PLC0415 (nearly never needed)

            traceback.print_exc()
        fault = f"{type(exc).__name__}: {exc}"
        _complain(
            _("a fault of ours: {fault}; run it again with -v and report it, please").format(fault=fault)
        )
        return Exit.FAULT


def _dispatch(argv: list[str]) -> int:
    known = names_in(verbs)
    complaint = unknown_verb(argv, known)
    if complaint is not None:
        sys.stderr.write(complaint + "\n")
        return Exit.USAGE
    args = build_parser(_modules(argv, known), argv).parse_args(argv)
    _configure_logging(verbose=args.verbose)
    return int(args.run(args))


def _modules(argv: Sequence[str], known: Sequence[str]) -> dict[str, ModuleType]:
    """The verb that is asked for; all of them for the help. Loading them all takes longer than most do."""
    asked = first_word(argv)
    if asked in known:
        return {asked: load(verbs, asked)}
    if argv == ["--version"]:
        return {}
    return {name: load(verbs, name) for name in known}


class _HarmlessHandler(logging.Handler):
    """Log lines on the stderr of the moment; what strangers wrote in them is made harmless."""

    def emit(self, record: logging.LogRecord) -> None:
        lines = harmless_lines(self.format(record), MAX_COMPLAINT)
        sys.stderr.write("\n".join(lines) + "\n")


def _configure_logging(*, verbose: bool) -> None:
    handler = _HarmlessHandler()
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    logger = logging.getLogger("kzmitm")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.ERROR)


def _advised(complaint: str, hint: str) -> str:
    """The one line: what is wrong, then what to do, as a clause or as the sentence that it is."""
    if not hint:
        return complaint
    return f"{complaint}. {hint}" if hint[:1].isupper() else f"{complaint}; {hint}"


def _complain(text: str) -> None:
    sys.stderr.write(f"kzmitm: {harmless(text, MAX_COMPLAINT)}\n")


def _flush(code: int) -> int:
    """Write out what is buffered; a result that could not be written must not end as if it had been."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return code or Exit.UNDECIDED
    except OSError as exc:
        if code != Exit.FAULT:  # else the one line has been said
            why = _(exc.strerror or str(exc))
            _complain(_("the result could not be written: {why}").format(why=why))
        return code or Exit.FAULT
    return code
