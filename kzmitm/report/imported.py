"""What other tools' files do not say, in words."""

from collections.abc import Mapping

from kzmitm.ooni.importing import Unknown
from kzmitm.report.language import _

CANNOT_KNOW: Mapping[Unknown, str] = {
    Unknown.WHOLE_CHAIN: _("whether the certificates kept are all that were shown, if any are kept at all"),
    Unknown.SNI: _("which name was asked for in the handshake (SNI)"),
    Unknown.HELLO: _("what else the client offered (its hello)"),
    Unknown.PARAMETERS: _("the version and the cipher suite of the handshake"),
    Unknown.ADDRESS: _("the address or the port that was connected to"),
    Unknown.TIME: _("when it was; you said it with --now"),
    Unknown.DNS: _("what the resolver said"),
    Unknown.CONTROL: _("what the same site shows at a clean place (--control FILE adds it)"),
    Unknown.VANTAGE: _("in which network it was measured"),
}
"""Goes after `cannot know:`."""
