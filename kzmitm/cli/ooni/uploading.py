"""Measurements given to OONI's collector one after the other, each once."""

import asyncio
from collections import Counter
from collections.abc import Iterator

from kzmitm.cli import clock
from kzmitm.cli.ooni.outgoing import Outgoing, too_long
from kzmitm.cli.ooni.upload_journal import Sent, UploadJournal
from kzmitm.cli.terminal import print_lines, say
from kzmitm.errors import UsageError
from kzmitm.netio.ooni_api import OONIAPI, Receipt, RefusedError
from kzmitm.netio.patience import ServiceError
from kzmitm.report.language import _
from kzmitm.report.line import Line, Style
from kzmitm.report.safe import harmless

MAX_SILENCE = 3
"""Measurements in a row that no answer came to, after which the collector is out of reach."""


class Upload:
    """One run; `counts` tells how many of what."""

    def __init__(self, api: OONIAPI, journal: UploadJournal, *, resend: bool) -> None:
        self.counts: Counter[str] = Counter()
        self._api = api
        self._journal = journal
        self._resend = resend
        self._silence = 0

    async def send(self, measurements: Iterator[Outgoing], checked: list[str], stop: asyncio.Event) -> None:
        """Send what was `checked` (its hashes) and is not there yet; raises UsageError if it has changed."""
        for each in measurements:
            number = each.number - 1
            if number >= len(checked) or checked[number] != each.sha256:
                raise UsageError(_("the file was changed meanwhile"), hint=_("give the command again"))
            if stop.is_set() or self._silence >= MAX_SILENCE:
                return
            if each.is_too_long:
                self.counts["left"] += 1
                say(too_long(each))
            elif not self._is_settled(each):
                await self._send_one(each)

    def _is_settled(self, each: Outgoing) -> bool:
        state = self._journal.state(each.sha256)
        if state is Sent.ACCEPTED:
            self.counts["before"] += 1
            return True
        if state is Sent.SENDING and not self._resend:
            self.counts["doubtful"] += 1
            self._tell(
                each,
                _(
                    "it was being sent when an earlier upload was cut off, and may be public; "
                    "--resend-doubtful sends it, perhaps for the second time"
                ),
            )
            return True
        return False

    async def _send_one(self, each: Outgoing) -> None:
        self._note(each, Sent.SENDING)
        try:
            receipt = await self._api.submit(each.octets.decode())
        except RefusedError as exc:
            self._silence = 0
            self._fail(each, Sent.REFUSED, str(exc))
        except ServiceError as exc:
            self._silence += 1
            self._fail(each, Sent.FAILED, str(exc))
        else:
            self._silence = 0
            self._accept(each, receipt)

    def _accept(self, each: Outgoing, receipt: Receipt) -> None:
        self._note(each, Sent.ACCEPTED, uid=receipt.measurement_uid, said=receipt.error)
        self.counts["accepted"] += 1
        if receipt.measurement_uid:
            print_lines([Line(f"{harmless(each.target)}  {harmless(receipt.measurement_uid)}")])
        else:
            self.counts["nameless"] += 1
            self._tell(each, _("accepted without an id: the collector may have thrown it away"))
        if receipt.error:
            self._tell(each, _("accepted, but the collector says: {what}").format(what=receipt.error))

    def _fail(self, each: Outgoing, state: Sent, why: str) -> None:
        self._note(each, state, said=why)
        self.counts[state] += 1
        self._tell(each, _("not accepted: {why}").format(why=why))

    def _note(self, each: Outgoing, state: Sent, *, uid: str = "", said: str = "") -> None:
        self._journal.write(each.sha256, state, at=clock.now(), uid=uid, said=said)

    @staticmethod
    def _tell(each: Outgoing, what: str) -> None:
        lead = f"{each.number} ({harmless(each.target)}): "
        print_lines([Line(harmless(what, 400), lead=lead, style=Style.WARNING)])
