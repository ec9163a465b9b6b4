"""What a root may not do and what is weak about it, in words."""

from collections.abc import Mapping

from kzmitm.pki.root_limits import Limit
from kzmitm.report.language import _

TEXTS: Mapping[Limit, str] = {
    Limit.NAME_CONSTRAINTS: _("it may vouch for some names only"),
    Limit.EXT_KEY_USAGE: _("it may be used for some purposes only, sites among them"),
    Limit.NO_SERVER_AUTH: _("it may be used for some purposes only, and sites are not among them"),
    Limit.PATH_LENGTH: _("the number of authorities below it is limited"),
    Limit.NOT_CA: _("it is not marked as an authority"),
    Limit.EXPIRED: _("its time is over, which some programs do not look at"),
    Limit.NOT_YET_VALID: _("its time has not come yet"),
    Limit.WEAK_KEY: _("its key is short"),
    Limit.WEAK_SIGNATURE: _("it is signed in an old way, which matters little for a root"),
    Limit.MALFORMED: _("it breaks the rules of its format"),
}


def limit_text(code: str) -> str:
    """The words for a code of `kzmitm.pki.root_limits.Limit`; the code itself for one of a later version."""
    return TEXTS[Limit(code)] if code in set(Limit) else code.replace("_", " ")
