"""What a campaign would do, and how far it is, as lines for people."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kzmitm.report import counts
from kzmitm.report.language import _, ngettext
from kzmitm.report.line import Line, Style
from kzmitm.report.safe import harmless


def plan_lines(told: Mapping[str, Any]) -> Iterator[Line]:
    """The plan of `kzmitm campaign check`."""
    about = f": {harmless(told['description'])}" if told["description"] else ""
    yield Line(about, lead=harmless(told["name"]), style=Style.HEADING)
    places = len(told["vantages"])
    text = _("{targets} and {controls} {from_vantages}, {rounds}").format(
        targets=counts.targets(told["targets"]),
        controls=ngettext("{n} control", "{n} controls", told["controls"]).format(n=told["controls"]),
        from_vantages=ngettext("from {n} vantage", "from {n} vantages", places).format(n=places),
        rounds=counts.rounds(told["rounds"]),
    )
    yield Line(text)
    for vantage in told["vantages"]:
        yield Line(f"  {harmless(vantage['name'])}  {harmless(vantage['kind'])}")
    yield from _cost_lines(told["estimate"], told["rounds"])
    yield from _limit_lines(told["limits"])
    if told["places"] > 1:
        text = _(
            "Of these limits each of {n} places has an equal part, as they share no clock; "
            "so many may meet at one address."
        )
        yield Line(text.format(n=told["places"]))
    yield from _kept_lines(told["evidence"], told["store"])
    yield Line(
        _("Who carries a vantage's traffic sees every name that is asked for, and that no browser asks.")
    )
    yield from _besides_lines(told["asked_besides"])
    if told["sensitive"]:
        lists = ", ".join(map(harmless, told["sensitive"]))
        yield Line(_(": sites that draw attention to who asks for them"), lead=lists, style=Style.WARNING)


def _cost_lines(cost: Mapping[str, Any], rounds: int) -> Iterator[Line]:
    text = ngettext(
        "A round makes at least {n} connection, {rate:.3g} a second: about {time}, {megabytes:.0f} MB.",
        "A round makes at least {n} connections, {rate:.3g} a second: about {time}, {megabytes:.0f} MB.",
        cost["connections"],
    )
    yield Line(
        text.format(
            n=cost["connections"],
            rate=cost["per_second"],
            time=duration(cost["round_s"]),
            megabytes=cost["octets"] / 1e6,
        )
    )
    if rounds > 1:
        text = _("All of it takes about {time} and {megabytes:.0f} MB.")
        yield Line(text.format(time=duration(cost["total_s"]), megabytes=cost["total_octets"] / 1e6))
    if cost["is_too_slow"]:
        advice = _(": a round takes longer than the time until the next; raise limits or rounds.every")
        yield Line(advice, lead=_("Too slow"), style=Style.WARNING)


def _limit_lines(limits: Mapping[str, Any]) -> Iterator[Line]:
    text = _(
        "At once at most {all}; to one address {endpoint}, {pause} s after another; to one block {block}."
    )
    yield Line(
        text.format(
            all=limits["concurrency"],
            endpoint=limits["endpoint_concurrency"],
            pause=f"{limits['endpoint_gap']:g}",
            block=limits["network_concurrency"],
        )
    )
    if limits["as_concurrency"] is not None:
        yield Line(_("To one network at once at most {n}.").format(n=limits["as_concurrency"]))
    if limits["as_rate"] is not None:
        yield Line(_("To one network at most {n} a second.").format(n=f"{limits['as_rate']:g}"))


def _kept_lines(evidence: Mapping[str, Any], store: Mapping[str, Any]) -> Iterator[Line]:
    told = {
        "findings": _("What is found is put into signed bundles, level {level}."),
        "all": _("All is put into signed bundles, level {level}."),
        "none": _("No bundles are made."),
    }
    yield Line(told[evidence["targets"]].format(level=evidence["level"]))
    if store["raw_rounds"] is not None:
        text = ngettext(
            "Measurements of the last {n} round are kept, of earlier ones the bundles alone.",
            "Measurements of the last {n} rounds are kept, of earlier ones the bundles alone.",
            store["raw_rounds"],
        )
        yield Line(text.format(n=store["raw_rounds"]))


def _besides_lines(asked: Mapping[str, str | None]) -> Iterator[Line]:
    """Who else hears of it."""
    told = {
        "resolver": _("{host} is asked for every name, too, over HTTPS (collect.doh)."),
        "location": _("{host} is asked through every vantage where that comes out (networks.locate)."),
        "webhook": _("{host} is told of what changed (hooks.webhook)."),
    }
    for kind, text in told.items():
        if asked[kind] is not None:
            yield Line(text.format(host=harmless(asked[kind] or "")))


def status_lines(shares: Iterable[Mapping[str, Any]], *, paused: bool) -> Iterator[Line]:
    """How far each share is, and what it found."""
    for share in shares:
        found = ", ".join(f"{n} {outcome}" for outcome, n in share["outcomes"].items())
        yield Line(
            _("round {round}, {vantage}: {done} of {jobs} done{failed}{found}").format(
                round=share["round"],
                vantage=harmless(share["vantage"]),
                done=share["done"],
                jobs=share["jobs"],
                failed=ngettext(", {n} failed", ", {n} failed", share["failed"]).format(n=share["failed"])
                if share["failed"]
                else "",
                found=f" ({found})" if found else "",
            ),
            style=Style.ALARM if share["outcomes"].get("interception") else Style.PLAIN,
        )
    if paused:
        yield Line(_(": kzmitm campaign resume goes on"), lead=_("paused"), style=Style.WARNING)


def duration(seconds: float) -> str:
    """A time as people say it."""
    for unit, size in ((_("days"), 86400), (_("h"), 3600), (_("min"), 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
