"""The command line: one parser, with a verb for each module of `kzmitm.cli.verbs`.

The words of parsers (help, descriptions, titles, what stands for a value) are literals where they are given
and are translated here, in one place; so is what argparse says by itself.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from kzmitm import __version__
from kzmitm.cli.exits import EPILOG, Exit
from kzmitm.cli.spoken import OPTION, first_word
from kzmitm.report.language import LANGUAGES, N_, _, ngettext
from kzmitm.report.safe import harmless

# argparse takes its words from gettext's catalogue of the process, which the environment alone chooses.
vars(argparse).update(_=_, ngettext=ngettext)

DESCRIPTION = N_("Find out who stands between you and a site, how sure that is, and what it is not.")

NOTHING = N_("nothing is given; leave the option out if that is meant")

EXAMPLES = N_("""first steps:
  kzmitm lab demo              a real interceptor on this computer, caught (no Internet)
  kzmitm consent               read what a scan does, and agree
  kzmitm scan                  scan the default list, gently
  kzmitm scan example.org      scan one site
  kzmitm show RESULT           read a result again
  kzmitm verify RESULT         was it altered, and who signed it
""")

_OPTION = re.compile(r"--?[a-zA-Z][a-z-]*", re.ASCII)


def filled(text: str) -> str:
    """The value of an option that must say something: scripts give "" where a variable is not set."""
    if not text:
        raise argparse.ArgumentTypeError(_(NOTHING))
    return text


def filled_path(text: str) -> Path:
    """The same as a path."""
    return Path(filled(text))


class CommandParser(argparse.ArgumentParser):
    """A parser that speaks the language chosen, and says what is wrong in one line."""

    next_word: str | None = None
    """What stands right behind the verb, where the words of a command line are known."""
    _is_mixing = False
    _is_told = False

    def format_help(self) -> str:
        self._tell()
        return super().format_help()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As ever, but words may stand before, between and behind options: `show FOLDER --json TARGET`."""
        self._tell()
        # Python 3.11 mixes by calling this very method, and takes `--` away before all is read.
        takes_the_rest = any(action.nargs == argparse.REMAINDER for action in self._actions)
        if takes_the_rest or self._subparsers is not None or self._is_mixing or "--" in (args or ()):
            return super().parse_known_args(args, namespace)
        usage, self._is_mixing = self.usage, True
        # It would make it so, and cut off the seven letters of "usage: ".
        self.usage = self.format_usage().removeprefix(_("usage: ")).strip().replace("%", "%%")
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self.usage, self._is_mixing = usage, False

    def error(self, message: str) -> NoReturn:
        option = _OPTION.search(message)
        if option is not None and message.endswith(_("expected one argument")):
            message += " " + _("(a value that begins with - is written {option}=-1)").format(option=option[0])
        see = _("see {command} --help").format(command=harmless(self.prog))
        self.exit(Exit.USAGE, f"{harmless(self.prog)}: {harmless(message)}; {see}\n")

    def _tell(self) -> None:
        """Put the words of all that was added into the language spoken; add what every parser has."""
        if self._is_told:
            return
        self._is_told = True
        if OPTION not in self._option_string_actions:
            self.add_argument(
                OPTION, choices=LANGUAGES, default=argparse.SUPPRESS, help=argparse.SUPPRESS
            )  # main() has read it; it may stand anywhere
        self.description, self.epilog = _told(self.description), _told(self.epilog)
        for group in self._action_groups:
            group.title, group.description = _told(group.title), _told(group.description)
        for action in self._actions:
            action.help = _told(action.help)
            metavar = action.metavar
            action.metavar = tuple(map(_, metavar)) if isinstance(metavar, tuple) else _told(metavar)


def _told(words: str | None) -> str | None:
    """The words in the language spoken; what argparse gives a meaning of its own stays."""
    return _(words) if words and words != argparse.SUPPRESS else words


def pass_on(parser: argparse.ArgumentParser, own: Sequence[str]) -> None:
    """Let a parser take only its `own` options, which have a value, and leave all else for another command.

    argparse would try to understand options that stand before the first word.
    """
    understand = parser.parse_known_args

    def parse(args: Any = None, namespace: Any = None) -> Any:
        words = list(args or ())
        at = 0
        while at < len(words) and (
            words[at].partition("=")[0] in (*own, OPTION) or words[at] in ("-h", "--help", "-v")
        ):
            at += 2 if words[at] in (*own, OPTION) else 1
        if at < len(words) and words[at] != "--":
            words.insert(at, "--")
        return understand(words, namespace)

    parser.parse_known_args = parse  # type: ignore[method-assign]


def build_parser(verbs: Mapping[str, ModuleType], argv: Sequence[str] = ()) -> CommandParser:
    """The parser for the verbs given, by name; with `argv`, it need not know more than that asks for."""
    parser = CommandParser(
        prog="kzmitm",
        description=_(DESCRIPTION),
        epilog=f"{_(EXAMPLES)}\n{_(EPILOG)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"kzmitm {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="say more on stderr, with tracebacks")
    parser.add_argument(OPTION, choices=LANGUAGES, help="the language (default: that of the environment)")
    choices = parser.add_subparsers(
        title="verbs", metavar="VERB", dest="verb", required=True, parser_class=CommandParser
    )
    for name, module in verbs.items():
        about = _((module.__doc__ or "").partition("\n")[0])
        verb = choices.add_parser(
            name,
            help=in_list(about),
            description=about,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        # SUPPRESS: `kzmitm -v scan` and `kzmitm scan -v` mean the same.
        verb.add_argument(
            "-v", "--verbose", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )
        verb.next_word = _word_behind(name, argv)
        module.configure(verb)
        verb.set_defaults(run=module.run)
    return parser


def _word_behind(verb: str, argv: Sequence[str]) -> str | None:
    """The word behind a verb that no option parts from it."""
    at = list(argv).index(verb) if verb in argv else len(argv)
    return argv[at + 1] if at + 1 < len(argv) else None


def in_list(about: str) -> str:
    """How a description stands in a list, as a part of a line; a name as OONI keeps its capital."""
    begin = about[:1] if about[1:2].isupper() else about[:1].lower()
    return begin + about[1:].rstrip(".")


def unknown_verb(argv: Sequence[str], verbs: Sequence[str]) -> str | None:
    """The one line for a verb that does not exist, None if the first word is one or an option."""
    word = first_word(argv) or None
    if word is None or word in verbs:
        return None
    import difflib  # noqa: PLC0415 (only for those who mistype)

    near = difflib.get_close_matches(word, verbs, n=1)
    meant = _("did you mean {verb}?").format(verb=near[0]) if near else ""
    advice = meant or _("the verbs are {verbs}").format(verbs=", ".join(verbs))
    return _("kzmitm: no such verb: {word}; {advice}").format(word=harmless(word, 40), advice=advice)
