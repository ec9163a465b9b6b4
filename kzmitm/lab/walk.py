"""The guided walk through the network: what a trainer shows, step by step, and what the scanner says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kzmitm.lab.browser import PageState
from kzmitm.lab.check import Row, misjudged
from kzmitm.lab.demo_browser import DemoBrowser
from kzmitm.lab.errors import LaboratoryError
from kzmitm.lab.network.session import NetworkSession
from kzmitm.lab.products import how_to_get
from kzmitm.lab.profile import Place, all_profiles
from kzmitm.lab.session import Hop
from kzmitm.model.location import Device, Location
from kzmitm.report.language import _, ngettext
from kzmitm.report.safe import harmless
from kzmitm.report.texts import WORDS
from kzmitm.report.trace import location_lines
from kzmitm.wording import Wording

SITE, OTHER = "social.lab.test", "news.lab.test"
"""The watched site that the walk is about, and one that is left alone."""
INTERCEPTOR = "kz-inline"
OTHERS = ("dns-hijack", "rst", "corporate", "expired")
"""What is shown as not being it; those whose product is missing are left out."""


class Audience(Protocol):
    """Who watches."""

    def tell(self, title: str, text: str) -> None:
        """Say the title of a step and its paragraph."""
        ...

    def wait(self) -> None:
        """Let them read before the next step."""
        ...

    def scan(self, words: Sequence[str], out: Path) -> Sequence[Row]:
        """Let them see the scan with these words run from the client's place; its rows."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of a walk."""

    wrong: tuple[str, ...]
    """A line for each site that was judged otherwise than it should be."""
    pictures: tuple[Path, ...]


class Walk:
    """One walk through a network that is up."""

    def __init__(self, session: NetworkSession, audience: Audience, browser: DemoBrowser | None) -> None:
        """`browser` is None where there is none to take pictures with."""
        self._session = session
        self._audience = audience
        self._browser = browser
        self._wrong: list[str] = []
        self._reporting = ""

    def run(self, out: Path) -> Told:
        """All steps; the bundle of the main scan goes to `out`."""
        for step in self._steps(out):
            step()
            self._audience.wait()
        self._audience.tell(
            ngettext("{count} misjudged", "{count} misjudged", len(self._wrong)).format(
                count=len(self._wrong)
            )
            if self._wrong
            else _("Every site was judged as it should be"),
            _(
                "The evidence is in {out}; kzmitm show reads it again. The laboratory and its keys "
                "go now; nothing of this computer was changed."
            ).format(out=out),
        )
        self._audience.tell("", self._reporting)
        return Told(wrong=tuple(self._wrong), pictures=self._browser.pictures if self._browser else ())

    def _steps(self, out: Path) -> tuple[Callable[[], None], ...]:
        with_browser = (self._warned, self._trusting) if self._browser else ()
        return (
            self._before,
            self._interception,
            *with_browser,
            lambda: self._scanned(out),
            lambda: self._traced(out),
            self._others,
            *((self._warned_again,) if self._browser else ()),
            self._after,
        )

    def _before(self) -> None:
        way = " - ".join(f"{hop.name} {hop.addresses[0]}" for hop in self._session.hops)
        self._audience.tell(
            _("1. Before"),
            _(
                "A small Internet is up on this computer, and nothing of it leaves it: {way}. The "
                "sites have certificates of a public authority that was made for this run. Nothing "
                "is in the way yet."
            ).format(way=way),
        )
        self._judge((SITE, OTHER))
        self._look(
            "1-before", _("The browser shows the page, and the server was asked by the client itself.")
        )

    def _interception(self) -> None:
        active = self._session.switch_on(INTERCEPTOR, {})
        self._audience.tell(
            _("2. Interception begins"),
            _(
                "{lesson} Its authority looks like the Kazakh one of 2019; it was made for this run, "
                "says LAB in its name, and can vouch for nothing outside this laboratory."
            ).format(lesson=_(active.profile.lesson)),
        )

    def _warned(self) -> None:
        self._audience.tell(
            _("3. The browser without the root"),
            _(
                "The browser does not know who vouches for this certificate, and warns. This "
                "warning is all that "
                "protects a user: it is why people are asked to install a root."
            ),
        )
        self._look("3-warning", _("What it says."), blocked=True)

    def _trusting(self) -> None:
        assert self._browser is not None  # noqa: S101 - the step exists with a browser only
        self._audience.tell(
            _("4. The root is installed"),
            _(
                "Now the look-alike root is put into the demo browser's own profile, as an operator's message"
                " would have it. Nothing else of this computer trusts it. The warning is gone, the lock is "
                "there, and the page tells that somebody else asked the server."
            ),
        )
        self._browser.install(self._root())
        self._look("4-no-warning", _("No warning any more; the server was asked by the operator's gateway."))

    def _scanned(self, out: Path) -> None:
        self._audience.tell(
            _("5. The scanner still sees it"),
            _(
                "The scan trusts a pinned list of public roots, and never what is installed. It "
                "keeps the whole "
                "chain, knows the key above it, and sees that other names pass untouched at the same address."
            ),
        )
        hostnames = (SITE, OTHER)
        words = [*hostnames, *self._session.sources(hostnames).words()]
        self._compare(self._audience.scan(words, out))
        self._reporting = self._session.leave_sources(out)

    def _traced(self, out: Path) -> None:
        self._audience.tell(
            _("6. Where it happens"),
            _(
                "The trace sends hellos that die on the way, behind one router, behind two, and so on: with "
                "the watched name, and with a harmless one. A certificate that comes from nearer than the "
                "site was made there."
            ),
        )
        picture = out.with_name("path.svg")
        location = self._session.trace(SITE, picture)
        self._audience.tell("", "\n".join(map(str, location_lines(location))))
        gateway = next(hop for hop in self._session.hops if hop.place is Place.OPERATOR)
        if is_at(location, gateway):
            said = _("{address} is {title}, where the laboratory put the box.").format(
                address=gateway.addresses[0], title=_(gateway.title)
            )
            self._audience.tell("", f"{said} {_('Picture: {path}').format(path=picture)}")
        else:
            self._wrong.append(Wording("{site}: the trace leads elsewhere", site=SITE))

    def _others(self) -> None:
        offers = {offer.profile.name: offer for offer in self._session.offers()}
        lines = []
        for name in OTHERS:
            offer = offers[name]
            if offer.missing:
                lines.append(
                    "  "
                    + _("left out: {title} (needs {missing})").format(
                        title=_(offer.profile.title), missing=_(how_to_get(offer.missing))
                    )
                )
                continue
            active = self._session.switch_on(name, {})
            struck = offer.profile.scanned(active.settings)
            findings = self._session.scan(struck)
            self._compare([finding.row for finding in findings])
            row = next(f.row for f in findings if f.hostname in offer.profile.struck(active.settings))
            said = " ".join(filter(None, (WORDS[row["outcome"]], row["confidence"], row["scope"])))
            lines.append(f"  {said}: {_(offer.profile.title)}")
        self._audience.tell(
            _("7. What is not this"),
            _(
                "Not every warning is a state's doing, and not every block is an interception. Each "
                "of these was "
                "just switched on and scanned, and this is what the scanner said:"
            )
            + "\n"
            + "\n".join(lines),
        )
        self._session.switch_on(INTERCEPTOR, {})

    def _warned_again(self) -> None:
        assert self._browser is not None  # noqa: S101 - the step exists with a browser only
        self._audience.tell(
            _("8. The root is removed"),
            _(
                "The root is taken out of the demo browser's profile, and the warning is back: "
                "whoever installed "
                "such a root is protected again from the moment it is gone."
            ),
        )
        self._browser.remove()
        self._look("8-warning-again", _("What it says."), blocked=True)

    def _after(self) -> None:
        self._session.switch_off()
        self._audience.tell(
            _("9. After"),
            _(
                "The interceptor is gone, and the site shows its own certificate again: the same as "
                "in the first "
                "step, which a scan at that time would have kept as the control."
            ),
        )
        self._judge((SITE, OTHER))
        self._look("9-after", _("The browser shows the page, and the server was asked by the client itself."))

    def _judge(self, hostnames: Sequence[str]) -> None:
        """Scan behind the scenes and say the outcomes in a line."""
        rows = [finding.row for finding in self._session.scan(hostnames)]
        self._compare(rows)
        said = "; ".join(f"{row['hostname']}: {WORDS[row['outcome']]}" for row in rows)
        self._audience.tell("", _("The scanner says: {said}.").format(said=said))

    def _compare(self, rows: Sequence[Row]) -> None:
        active = self._session.active()
        profile = active.profile if active else all_profiles()["none"]
        settings = active.settings if active else profile.settle({})
        expected = {row["hostname"]: profile.expected_for(row["hostname"], settings) for row in rows}
        self._wrong += misjudged(rows, expected)

    def _look(self, name: str, caption: str, *, blocked: bool = False) -> None:
        """Let the browser visit the site and keep a picture; another page than there should be is a fault."""
        if self._browser is None:
            return
        page, picture = self._browser.look(f"https://{SITE}/", name)
        if page.blocked is not blocked:
            self._wrong.append(
                Wording("{site}: the browser warns ({name})", site=SITE, name=name)
                if page.blocked
                else Wording("{site}: the browser does not warn ({name})", site=SITE, name=name)
            )
        shown = _("Picture: {path}").format(path=picture)
        self._audience.tell("", f"{caption} {_seen(page)} {shown}")

    def _root(self) -> bytes:
        root = self._session.lab.status["root"]
        if root is None:
            raise LaboratoryError("the interceptor has no root to install")
        return str(root).encode()


def is_at(location: Location, hop: Hop) -> bool:
    """A trace found the interceptor at this very hop, which the client meets by one of its addresses."""
    segment = location.finding.segment
    met = segment.at.addresses if segment is not None and segment.at is not None else ()
    return location.finding.device is Device.SNI_INTERCEPTOR and any(
        address.ip in hop.addresses for address in met
    )


def _seen(page: PageState) -> str:
    if page.blocked:
        return _("The browser refuses: {why} (issuer: {issuer}).").format(
            why=page.error, issuer=harmless(page.issuer or "") or _("none")
        )
    return _('The page says: "{words}"').format(words=harmless(" ".join(page.text.split()), 160))
