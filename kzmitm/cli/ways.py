"""The ways out of a scan, seen to before anything is written."""

import asyncio

from kzmitm.cli.loop import loop_factory
from kzmitm.errors import UnreachedError, UsageError
from kzmitm.netio.vantage import DownError, ProxyError, VantageLink
from kzmitm.report.language import _


def check_ways(*links: VantageLink | None) -> None:
    """Log in where that is needed, and out again; raises UsageError with the reason for which it failed.

    If the way is merely down, that is UnreachedError. Nothing is asked through them: whether a proxy lets
    anybody through shows with the first target.
    """
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        for link in links:
            if link is not None:
                runner.run(_try(link))


async def _try(link: VantageLink) -> None:
    try:
        await link.ready()
    except ProxyError as exc:
        kind = link.vantage.kind
        why = _("the vantage ({kind}) cannot be used: {reason}").format(kind=kind, reason=_(exc.reason))
        error = UnreachedError if isinstance(exc, DownError) else UsageError
        raise error(why, hint=exc.hint) from None
    finally:
        await link.aclose()


async def close_ways(*links: VantageLink | None) -> None:
    """Close what they hold."""
    for link in links:
        if link is not None:
            await link.aclose()
