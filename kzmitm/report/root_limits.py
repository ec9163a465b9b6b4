"""What a root may not do and what is weak about it, in words."""

from collections.abc import Mapping

from kzmitm.pki.root_limits import Limit
from kzmitm.report.language import N_, Words

TEXTS: Mapping[Limit, str] = Words(
    {
        Limit.NAME_CONSTRAINTS: N_("it may vouch for some names only"),
        Limit.EXT_KEY_USAGE: N_("it may be used for some purposes only, sites among them"),
        Limit.NO_SERVER_AUTH: N_("it may be used for some purposes only, and sites are not among them"),
        Limit.PATH_LENGTH: N_("the number of authorities below it is limited"),
        Limit.NOT_CA: N_("it is not marked as an authority"),
        Limit.EXPIRED: N_("its time is over, which some programs do not look at"),
        Limit.NOT_YET_VALID: N_("its time has not come yet"),
        Limit.WEAK_KEY: N_("its key is short"),
        Limit.WEAK_SIGNATURE: N_("it is signed in an old way, which matters little for a root"),
        Limit.MALFORMED: N_("it breaks the rules of its format"),
    }
)


def limit_text(code: str) -> str:
    """The words for a code of `kzmitm.pki.root_limits.Limit`; the code itself for one of a later version."""
    return TEXTS[Limit(code)] if code in set(Limit) else code.replace("_", " ")
