"""A document with every kind of block, each text in it the same: what a stranger may have written."""

import typing

from markupsafe import Markup

from kzmitm.report.document import (
    Answer,
    Blank,
    Block,
    Cell,
    Commands,
    Data,
    Document,
    Fold,
    Grid,
    Heading,
    Notice,
    Picture,
    Points,
    Section,
    Shade,
    Stop,
    Table,
    Terms,
    Text,
    Tone,
    Way,
)

HOSTILE = {
    "markup": "</title></style></script><script>alert(1)</script><img src=x onerror=alert(1)>",
    "attribute": '" onmouseover="alert(1)" x=\'',
    "bidi": "bank.example\u202emoc.live\u2066\u200b",
    "nul": "a\x00b\x1b[31mred\x07",
    "formula": "=cmd|' /C calc'!A0",
    "formula with a space": " @SUM(1+1)*cmd|' /C calc'!A0",
    "full width formula": "\uff1dcmd|' /C calc'!A0",
    "markdown": "# [click](javascript:alert(1)) ![](http://evil.test/x.png) <b>bold</b> `code` | cell |",
    "autolinks": "http://evil.test/ www.evil.test who@evil.test @everyone #1 mailto:a@b.test",
    "backticks": "`` ``` ````",
    "line ends": "one\n# two\r\n- three\u2028four\x85five",
    "html comment": "<!-- --> ]]> <![CDATA[ {{ 7 * 7 }} {% raw %}",
    "entities": "&lt;b&gt; &amp;amp; &#60;",
    "reference": "[a]: http://evil.test 'x'\n\n[a]",
    "list": "1. one",
    "dashes": "--- *** ___ ~~~",
}


def blocks(text: str) -> tuple[Block, ...]:
    """One block of every kind; a test sees to it that none is missing."""
    plain: tuple[Block, ...] = (
        Text(text, is_lead=True),
        Heading(text),
        Notice(text, text),
        Points((text, text), is_ordered=True),
        Points((text,)),
        Terms(((text, text),)),
        Table(
            caption=text,
            columns=(text, text),
            rows=(
                (text, Cell(text=text, mark=text, tone=Tone.ALARM, is_exact=True)),
                (text, Cell(text=text)),
            ),
        ),
        Grid(
            caption=text,
            corner=text,
            columns=(text, text),
            rows=((text, (Shade(text, 5), Shade(text, None))),),
        ),
        Commands((text,)),
        Way(text, (Stop(text), Stop(text, text, Tone.ALARM))),
        Picture(
            svg=Markup('<svg viewBox="0 0 9 9"><style>.x{fill:red}</style></svg>'), caption=text, meaning=text
        ),
        Blank(text, text),
    )
    return (*plain, Fold(text, plain))


def kinds() -> set[type]:
    return set(typing.get_args(Block))


def document(text: str, **more: typing.Any) -> Document:
    """A whole document of this text."""
    section = {"title": text, "mark": text, "tone": Tone.WARNING, "blocks": blocks(text)}
    return Document(
        title=text,
        language="en",
        answer=Answer(word=text, sentence=text, tone=Tone.ALARM, notes=(text,)),
        about=((text, text),),
        sections=tuple(Section(id=f"s{number}", **section) for number in range(3)),
        foot=(text,),
        data=Data(("a", "b"), ((text, text),)),
        **more,
    )
