"""The packets of a scan's own connections, if they are wanted (`--pcap`)."""

from collections.abc import Iterator
from contextlib import contextmanager

from kzmitm.cli.results import Results
from kzmitm.cli.terminal import say
from kzmitm.netio.capture import Capture
from kzmitm.report.language import _, ngettext


@contextmanager
def capturing(*, wanted: bool) -> Iterator[Capture | None]:
    """A capture for as long as the context lasts; raises UsageError where there can be none."""
    if not wanted:
        yield None
        return
    capture = Capture.start()
    try:
        yield capture
    finally:
        capture.close()


def keep_packets(capture: Capture, results: Results) -> None:
    """End a capture and put it with the result; it blocks for up to half a second."""
    results.capture(capture.stop(salt=results.capture_salt()))
    if capture.truncated:
        say(_("there were more packets than are kept; those of the beginning are there"))
    if capture.dropped:
        say(
            ngettext(
                "the system lost {count} packet before it was read",
                "the system lost {count} packets before they were read",
                capture.dropped,
            ).format(count=capture.dropped)
        )
    if capture.missed:
        say(
            ngettext(
                "of {count} connection no packet was seen",
                "of {count} connections no packet was seen",
                capture.missed,
            ).format(count=capture.missed)
        )
