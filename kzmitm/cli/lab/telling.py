"""What the actions of `kzmitm lab` say of a laboratory."""

from collections.abc import Iterator, Mapping
from typing import Any

from kzmitm.cli.terminal import print_json, print_lines
from kzmitm.lab.profile import profile_named
from kzmitm.report.language import _
from kzmitm.report.line import Line, Style

SCHEMA = "kzmitm.lab_status/1.0"


def tell_status(status: Mapping[str, Any], *, as_json: bool) -> None:
    """What is on and what there is, for people or as one document."""
    if as_json:
        keys = ("kind", "profile", "settings", "sites")
        document = {"schema": SCHEMA, "version": "1.0", **{key: status[key] for key in keys}}
        print_json(document | {"hosts": list(status["hosts"])})
    else:
        print_lines(_lines(status))


def _lines(status: Mapping[str, Any]) -> Iterator[Line]:
    if status["profile"] is None:
        yield Line(_("nothing is in the way"), lead=_("up: "), style=Style.GOOD)
    else:
        profile = profile_named(status["profile"])
        style = Style.ALARM if profile.intercepts else Style.WARNING
        yield Line(_(profile.title), lead=f"{profile.name}: ", style=style)
        for name, value in status["settings"].items():
            if value:
                yield Line(f"  {name}={value}")
    yield Line(_("hosts: {hosts}").format(hosts=", ".join(status["hosts"])))
