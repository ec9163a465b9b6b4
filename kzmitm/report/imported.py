"""What other tools' files do not say, in words."""

from collections.abc import Mapping

from kzmitm.ooni.importing import Unknown
from kzmitm.report.language import N_, Words

CANNOT_KNOW: Mapping[Unknown, str] = Words(
    {
        Unknown.WHOLE_CHAIN: N_(
            "whether the certificates kept are all that were shown, if any are kept at all"
        ),
        Unknown.SNI: N_("which name was asked for in the handshake (SNI)"),
        Unknown.HELLO: N_("what else the client offered (its hello)"),
        Unknown.PARAMETERS: N_("the version and the cipher suite of the handshake"),
        Unknown.ADDRESS: N_("the address or the port that was connected to"),
        Unknown.TIME: N_("when it was; you said it with --now"),
        Unknown.DNS: N_("what the resolver said"),
        Unknown.CONTROL: N_("what the same site shows at a clean place (--control FILE adds it)"),
        Unknown.VANTAGE: N_("in which network it was measured"),
    }
)
"""Goes after `cannot know:`."""
