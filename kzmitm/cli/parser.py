"""The command line: one parser, with a verb for each module of `kzmitm.cli.verbs`."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from kzmitm import __version__
from kzmitm.cli.exits import EPILOG, Exit
from kzmitm.report.safe import harmless

DESCRIPTION = "Find out who stands between you and a site, how sure that is, and what it is not."

NOTHING = "nothing is given; leave the option out if that is meant"

EXAMPLES = """first steps:
  kzmitm lab demo              a real interceptor on this computer, caught (no Internet)
  kzmitm consent               read what a scan does, and agree
  kzmitm scan                  scan the default list, gently
  kzmitm scan example.org      scan one site
  kzmitm show RESULT           read a result again
  kzmitm verify RESULT         was it altered, and who signed it
"""


def filled(text: str) -> str:
    """The value of an option that must say something: scripts give "" where a variable is not set."""
    if not text:
        raise argparse.ArgumentTypeError(NOTHING)
    return text


def filled_path(text: str) -> Path:
    """The same as a path."""
    return Path(filled(text))


class CommandParser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    _is_mixing = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As ever, but words may stand before, between and behind options: `show FOLDER --json TARGET`."""
        # Python 3.11 mixes by calling this very method, and takes `--` away before all is read.
        takes_the_rest = any(action.nargs == argparse.REMAINDER for action in self._actions)
        if takes_the_rest or self._subparsers is not None or self._is_mixing or "--" in (args or ()):
            return super().parse_known_args(args, namespace)
        self._is_mixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_mixing = False

    def error(self, message: str) -> NoReturn:
        if message.endswith("expected one argument"):
            option = message.removeprefix("argument ").partition(":")[0]
            message += f" (a value that begins with - is written {option}=-1)"
        self.exit(
            Exit.USAGE, f"{harmless(self.prog)}: {harmless(message)}; see {harmless(self.prog)} --help\n"
        )


def pass_on(parser: argparse.ArgumentParser, own: Sequence[str]) -> None:
    """Let a parser take only its `own` options, which have a value, and leave all else for another command.

    argparse would try to understand options that stand before the first word.
    """
    understand = parser.parse_known_args

    def parse(args: Any = None, namespace: Any = None) -> Any:
        words = list(args or ())
        at = 0
        while at < len(words) and (words[at].partition("=")[0] in own or words[at] in ("-h", "--help", "-v")):
            at += 2 if words[at] in own else 1
        if at < len(words) and words[at] != "--":
            words.insert(at, "--")
        return understand(words, namespace)

    parser.parse_known_args = parse  # type: ignore[method-assign]


def build_parser(verbs: Mapping[str, ModuleType]) -> CommandParser:
    """The parser for the verbs given, by name."""
    parser = CommandParser(
        prog="kzmitm",
        description=DESCRIPTION,
        epilog=f"{EXAMPLES}\n{EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"kzmitm {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="say more on stderr, with tracebacks")
    choices = parser.add_subparsers(
        title="verbs", metavar="VERB", dest="verb", required=True, parser_class=CommandParser
    )
    for name, module in verbs.items():
        about = (module.__doc__ or "").partition("\n")[0]
        verb = choices.add_parser(
            name,
            help=about[:1].lower() + about[1:].rstrip("."),
            description=about,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        # SUPPRESS: `kzmitm -v scan` and `kzmitm scan -v` mean the same.
        verb.add_argument(
            "-v", "--verbose", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )
        module.configure(verb)
        verb.set_defaults(run=module.run)
    return parser


def first_word(argv: Sequence[str]) -> str:
    """The first word that is no option; "" if there is none."""
    return next((word for word in argv if not word.startswith("-")), "")


def unknown_verb(argv: Sequence[str], verbs: Sequence[str]) -> str | None:
    """The one line for a verb that does not exist, None if the first word is one or an option."""
    word = first_word(argv) or None
    if word is None or word in verbs:
        return None
    import difflib  # noqa: PLC0415 (only for those who mistype)

    near = difflib.get_close_matches(word, verbs, n=1)
    advice = f"did you mean {near[0]}?" if near else f"the verbs are {', '.join(verbs)}"
    return f"kzmitm: no such verb: {harmless(word, 40)}; {advice}"
