"""Whether programs on this computer would have accepted a certificate, in one sentence."""

from kzmitm.model.local_trust import LocalTrust
from kzmitm.report.language import N_, _, ngettext
from kzmitm.report.safe import harmless

MAX_NAMED = 4
"""Programs that are named; `--json` has all."""

REMOVE = N_("Run `kzmitm roots`: it shows where on this computer that root is, and how to remove it.")


def local_trust_text(trust: LocalTrust) -> str:
    """What the trust stores say; goes after `On this computer:`."""
    if not trust.root:
        if trust.accepted is None:
            return _("not every trust store could be read, so it is not known what programs accept")
        return ngettext(
            "no program would have accepted it without a warning ({n} trust store was read)",
            "no program would have accepted it without a warning ({n} trust stores were read)",
            trust.stores_read,
        ).format(n=trust.stores_read)
    who = _programs(trust)
    if trust.accepted:
        return _("accepted locally: {} would have accepted it without a warning").format(who)
    return _("{} trusts its root, but would have warned of its name or its dates").format(who)


def _programs(trust: LocalTrust) -> str:
    named = [harmless(name) for name in trust.applications[:MAX_NAMED]]
    more = len(trust.applications) - len(named)
    if more:
        named.append(ngettext("{n} more", "{n} more", more).format(n=more))
    return ", ".join(named) or _("a program")
