"""Who stands in the way? Something is switched on; you look, and tell."""

import argparse
import secrets
import shlex
import sys
from collections.abc import Iterator, Sequence
from random import Random

from kzmitm.cli.exits import Exit
from kzmitm.cli.lab.options import add_loopback, own_session, wants_network
from kzmitm.cli.terminal import print_lines
from kzmitm.errors import KzmitmError, UsageError
from kzmitm.evidence.scan_document import row_verdict
from kzmitm.lab.network.session import NetworkSession
from kzmitm.lab.products import find_products
from kzmitm.lab.profile import Profile
from kzmitm.lab.quiz import SITES, Answer, Question, choices, chosen, questions
from kzmitm.lab.session import Finding, Session
from kzmitm.report.language import N_, _, ngettext
from kzmitm.report.line import Line, Style
from kzmitm.report.rows import judged_of_row
from kzmitm.report.text import explanation, target_line

MAX_ROUNDS = 100
MAX_SEED = 1_000_000
"""Short enough to be read out to a class."""

HELP = N_("""\
  scan [SITE ...]      the real scan, from the client's place
  run HOST COMMAND     a command in client, access, operator, transit or server
  list                 what may be answered
  NUMBER or NAME       your answer
  quit                 stop here""")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", metavar="N", type=int, default=3, help="how many (default: 3)")
    parser.add_argument("--seed", metavar="N", type=int, help="the questions of an earlier quiz again")
    add_loopback(parser)
    parser.epilog = _("At the prompt:") + "\n" + _(HELP)


def run(args: argparse.Namespace) -> int:
    if not 1 <= args.rounds <= MAX_ROUNDS:
        raise UsageError(
            "--rounds: {rounds} is not possible",
            hint="1 to {max_rounds}",
            rounds=args.rounds,
            max_rounds=MAX_ROUNDS,
        )
    seed = secrets.randbelow(MAX_SEED) if args.seed is None else args.seed
    products = find_products()
    is_network = wants_network(products, loopback=args.loopback)
    with own_session(products, is_network=is_network) as session:
        asked = questions(session.offers(), args.rounds, Random(seed))  # noqa: S311 - to be repeatable
        answers = list(_Quiz(session).play(asked))
    right = sum(answer.is_right for answer in answers)
    near = sum(answer.is_near for answer in answers)
    print_lines(
        [
            Line(),
            Line(
                ngettext(
                    "{right} of {all} right; {near} of {all} told interception from all else",
                    "{right} of {all} right; {near} of {all} told interception from all else",
                    len(answers),
                ).format(right=right, near=near, all=len(answers)),
                lead=_("Score: "),
                style=Style.HEADING,
            ),
            Line(_("The same questions again: --seed {seed} --rounds {n}").format(seed=seed, n=args.rounds)),
        ]
    )
    return Exit.OK if len(answers) == len(asked) else Exit.UNDECIDED


class _Quiz:
    """One quiz in a laboratory that is up."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._choices = choices(session.offers())

    def play(self, asked: Sequence[Question]) -> Iterator[Answer]:
        """Every answer, until the trainee stops."""
        for number, question in enumerate(asked, start=1):
            self._session.switch_on(question.profile.name, question.given)
            title = _("Round {number} of {all}").format(number=number, all=len(asked))
            print_lines([Line(), Line(lead=title, style=Style.HEADING)])
            print_lines(Line(line) for line in _("Something may be in the way. You can say:").splitlines())
            print_lines(Line(line) for line in _(HELP).splitlines())
            said = self._ask()
            if said is None:
                return
            answer = Answer(said, question.profile)
            print_lines(self._explained(answer, question))
            yield answer

    def _ask(self) -> Profile | None:
        """Obey until there is an answer; None if there will be none."""
        while True:
            sys.stdout.write("> ")
            sys.stdout.flush()
            line = sys.stdin.readline()
            if not line or line.strip() == "quit":
                return None
            found = chosen(line, self._choices)
            if found is not None:
                return found
            try:
                self._obey(line)
            except KzmitmError as exc:
                said = _(str(exc))
                print_lines([Line(f"{said}. {_(exc.hint)}" if exc.hint else said)])

    def _obey(self, line: str) -> None:
        try:
            verb, *rest = shlex.split(line) or [""]
        except ValueError as exc:
            raise UsageError("{why}", why=exc) from exc
        match verb:
            case "scan":
                findings = self._session.scan(rest or SITES)
                print_lines(_told(findings, explained=bool(rest)))
            case "run" if len(rest) > 1 and isinstance(self._session, NetworkSession):
                sys.stdout.flush()
                self._session.lab.call(rest[0], rest[1:])
            case "list":
                print_lines(
                    Line(_(profile.title), lead=f"{number:>3}  {profile.name:<22}")
                    for number, profile in enumerate(self._choices, start=1)
                )
            case "":
                return
            case _:
                print_lines(Line(help_line) for help_line in _(HELP).splitlines())

    def _explained(self, answer: Answer, question: Question) -> Iterator[Line]:
        if answer.is_right:
            yield Line(
                _("it was {title}").format(title=_(answer.right.title)), lead=_("Right: "), style=Style.GOOD
            )
        else:
            lead = _("Nearly: ") if answer.is_near else _("No: ")
            style = Style.WARNING if answer.is_near else Style.ALARM
            yield Line(_("it was {title}").format(title=_(answer.right.title)), lead=lead, style=style)
        yield Line(_(answer.right.lesson))
        struck = answer.right.struck(answer.right.settle(question.given))[:1]
        yield Line()
        yield Line(lead=_("The evidence:"), style=Style.HEADING)
        yield from _told(self._session.scan(struck), explained=True)


def _told(findings: Sequence[Finding], *, explained: bool) -> Iterator[Line]:
    """What the scan said, in the words of `kzmitm show`."""
    for finding in sorted(findings, key=lambda finding: finding.hostname):
        judged = judged_of_row(finding.row, row_verdict(finding.row, VERSIONS))
        if explained:
            yield from explanation(judged)
        else:
            yield target_line(judged)


VERSIONS = {"rules_version": "", "registry": {"version": ""}, "store": {"version": ""}}
"""Of a document that was just made here: they are those of this very program."""
