"""The two streams: results on stdout, talk on stderr; colour only for a terminal that wants it."""

import io
import json
import os
import sys
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from kzmitm.report.line import Line, Style

STYLES = {
    Style.PLAIN: "",
    Style.ALARM: "bold red",
    Style.WARNING: "bold yellow",
    Style.GOOD: "green",
    Style.HEADING: "bold",
}
"""As rich writes them; it is loaded for terminals only, as that takes longer than most verbs."""

if TYPE_CHECKING:
    from rich.console import Console

MIN_WIDTH = 40
"""Below this, breaking lines ourselves makes them worse."""


def open_closed_streams() -> None:
    """Open what was closed before we were started (`>&-`), or sockets of ours would get those numbers.

    A result that nobody can read is to fail as on a full disk, hence a stdout that cannot be written to; nor
    is a stdin that is not there an empty one. What is said on a closed stderr is for nobody.
    """
    for descriptor, mode in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, mode)  # the lowest number that is free: this one
            os.set_inheritable(opened, True)  # noqa: FBT003 (it takes no name)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 (a descriptor, to the end)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def give_up_stdout() -> None:
    """Once it was said that stdout takes nothing: what is still held for it is not to be tried again."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 (to the end)


def prepare_streams() -> None:
    """Let both streams take every character, whatever the locale says.

    Kazakh letters do not exist in code pages 1251 and 866; a pipe in one of them would end a scan with
    an exception, or hold question marks. Off a terminal the encoding is UTF-8, whatever PYTHONIOENCODING
    says, and so it is on Windows' console; on any other terminal, what it cannot show is escaped.
    """
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):
            continue
        if stream.isatty():
            stream.reconfigure(errors="backslashreplace")
        else:
            # By lines, so that `| tee` sees each verdict when it falls.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)


def is_plain(stream: TextIO) -> bool:
    """True if no colour, cursor movement or spinner may go to `stream` (https://no-color.org)."""
    return not stream.isatty() or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def console(stream: TextIO) -> "Console":
    """A rich console on `stream` that guesses nothing from the text and keeps to `is_plain`."""
    from rich.console import Console  # noqa: PLC0415 (see STYLES)

    plain = is_plain(stream)
    return Console(
        file=stream,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=True,
        no_color=plain,
        force_terminal=False if plain else None,
    )


def print_lines(lines: Iterable[Line], stream: TextIO | None = None) -> None:
    """Write lines; broken at words for a terminal, whole for a pipe or a file."""
    stream = stream or sys.stdout
    if not stream.isatty():
        for line in lines:
            stream.write(f"{line}\n")
        return
    printer = console(stream)
    for line in lines:
        print_line(line, printer)


def print_line(line: Line, printer: "Console") -> None:
    """Write one line to a terminal."""
    from rich.text import Text  # noqa: PLC0415 (see STYLES)

    text = Text("\n".join(_broken(line, printer.width)))
    text.stylize(STYLES[line.style], 0, _end_of(line.lead, text.plain))
    printer.print(text, soft_wrap=True)


def _end_of(lead: str, text: str) -> int:
    """Where `lead` ends in a text that begins with it, and may have been broken inside it."""
    left = len(lead) - sum(map(str.isspace, lead))
    for at, character in enumerate(text):
        if not left:
            return at
        left -= not character.isspace()
    return len(text)


def _broken(line: Line, width: int) -> list[str]:
    whole = str(line)
    if len(whole) <= width or width < MIN_WIDTH:
        return [whole]
    return textwrap.wrap(
        whole,
        width,
        subsequent_indent=" " * (line.indent or 2),
        break_long_words=False,  # a hash cut in two cannot be copied
        break_on_hyphens=False,
        drop_whitespace=True,
        replace_whitespace=False,
    )


def print_json(document: object) -> None:
    """Exactly one JSON document on stdout, for programs.

    It is ASCII: names of strangers reach a terminal as escapes here too (JSON alone escapes neither the
    C1 controls nor bidirectional overrides), and no encoding can break it.
    """
    sys.stdout.write(json.dumps(document, ensure_ascii=True, indent=2).replace("\x7f", "\\u007f") + "\n")


def say(text: str = "") -> None:
    """One line of talk, on stderr."""
    print_lines([Line(text)], sys.stderr)
