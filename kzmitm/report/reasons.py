"""The reasons inside a verdict in plain English: what excluded a cause, what would decide, what fits."""

import re
from collections.abc import Callable, Mapping

from kzmitm.report.language import N_, Words, _, ngettext
from kzmitm.verdict.codes import EvidenceCode, UndecidedCode

EVIDENCE: Mapping[str, str] = Words(
    {
        EvidenceCode.BENIGN_SNI_GENUINE: N_("at the same address a harmless name drew a genuine certificate"),
        EvidenceCode.KNOWN_KEY_SIGNED: N_(
            "a known interceptor's key signed the chain, which nothing innocent can do"
        ),
        EvidenceCode.NO_LOCAL_ROOT: N_("no root that this computer trusts vouches for it"),
        EvidenceCode.NAMES_COVER_HOST: N_(
            "the certificate bears the name of this very site; a portal names itself"
        ),
        EvidenceCode.LEAF_VARIES_BY_SNI: N_("other names at the same address drew other certificates"),
        EvidenceCode.ADDRESS_IN_CONTROL: N_("a clean place gets the same address for this name"),
        EvidenceCode.ADDRESS_IN_DOH: N_("an encrypted resolver gives the same address for this name"),
        EvidenceCode.ADDRESS_GIVEN: N_("the address was given by the user, so no resolver had a say"),
        EvidenceCode.ADDRESS_SERVES_NAME: N_(
            "the same address also showed a genuine certificate for this name"
        ),
        EvidenceCode.CONTROL_GENUINE: N_(
            "a clean place gets a genuine certificate with another key for this name"
        ),
        EvidenceCode.OTHER_ADDRESS_GENUINE: N_(
            "another address of the same site shows a genuine certificate with another key"
        ),
        EvidenceCode.OTHER_HELLO_GENUINE: N_(
            "asked in another way, the same address showed a genuine certificate"
        ),
        EvidenceCode.REPEAT_GENUINE: N_("asked once more, the same address showed a genuine certificate"),
        EvidenceCode.ISSUER_SIGNS_UNRELATED_HOSTS: N_(
            "the same unknown issuer signs for sites that have nothing to do with each other"
        ),
        EvidenceCode.ISSUER_MINTS_NAMES: N_(
            "the same issuer signs at this address for names that the site cannot own"
        ),
        EvidenceCode.ISSUER_NOT_PUBLIC: N_(
            "every genuine certificate has a public authority behind it; this has none"
        ),
        EvidenceCode.NOT_A_TIME_FAILURE: N_("the certificates would be refused at any time"),
        EvidenceCode.CLOCK_WITNESSED: N_("independent witnesses agree with the clock"),
        EvidenceCode.OTHER_HOSTS_IN_TIME: N_("the certificates of other sites are valid at this time"),
        EvidenceCode.SECOND_ENGINE_AGREES: N_("a second, independent TLS engine saw the same"),
        EvidenceCode.PROOF_VERIFIED: N_(
            "the other side proved, with a fresh signature, that it holds this very key"
        ),
        EvidenceCode.REPEAT_AGREES: N_("asked once more, it answered the same"),
    }
)
"""What was seen that excludes an innocent cause."""

UNDECIDED: Mapping[str, str] = Words(
    {
        UndecidedCode.CONTROL: N_(
            "what a clean place gets for this name: scan there with --record-control, then here "
            "with --control"
        ),
        UndecidedCode.BENIGN_SNI: N_("what a harmless name gets at the same address"),
        UndecidedCode.OTHER_ADDRESS: N_("what another address of the same site shows"),
        UndecidedCode.OTHER_HELLO: N_("what the same address answers when asked in another way (--profile)"),
        UndecidedCode.REPEAT: N_("the same scan once more, later"),
        UndecidedCode.MORE_HOSTS: N_(
            "more sites in the same scan, also some that nobody has a reason to touch"
        ),
        UndecidedCode.SECOND_NETWORK: N_("the same scan from another network"),
        UndecidedCode.ENCRYPTED_DNS: N_("what an encrypted resolver says for this name (--doh)"),
        UndecidedCode.CLOCK: N_("the right time on this computer"),
        UndecidedCode.WHOLE_CHAIN: N_("the other certificates of the chain"),
        UndecidedCode.SECOND_ENGINE: N_("the same question asked by a second TLS engine (--engine openssl)"),
        UndecidedCode.LOCAL_ROOTS: N_(
            "what the trust stores of this computer hold: an antivirus or a company proxy leaves "
            "its root there"
        ),
        UndecidedCode.CONNECTION: N_("the same scan once this computer is connected to a network"),
        UndecidedCode.PORTAL_LOGIN: N_("the same scan after logging in to this network"),
        UndecidedCode.STATE_PKI_USE: N_(
            "whether the site uses the state's e-signature authority of its own will"
        ),
        UndecidedCode.RULE_FAULT: N_(
            "a repair of kzmitm: one of its rules failed on this site; please report it"
        ),
    }
)
"""What would decide it, or make it surer."""


RELATIONS: Mapping[str, str] = Words(
    {
        "subject:copied": N_("its name is copied from the genuine certificate"),
        "san:copied": N_("its list of names is copied from the genuine certificate"),
        "validity:copied": N_("its dates are those of the genuine certificate"),
        "validity:fresh": N_("its dates are its own, not those of the genuine certificate"),
        "key_equals_issuer_key:yes": N_("its key is that of its issuer too"),
        "key_equals_issuer_key:no": N_("its key is not that of its issuer"),
        "key_shared_between_hosts:yes": N_("other sites show certificates with the same key"),
        "key_shared_between_hosts:no": N_("other sites show certificates with other keys"),
        "issuer:as_known": N_("its issuer is named as that forger names it"),
    }
)
"""How a field of the forged certificate stands to the genuine one."""

NAMED: Mapping[str, str] = Words(
    {
        "key": N_("its key is {}"),
        "exponent": N_("the exponent of its key is {}"),
        "extensions": N_("its extensions are {}"),
    }
)
"""The same where a value follows."""

MEASURED: Mapping[str, Callable[[int], str]] = {
    "serial": lambda bits: ngettext(
        "its serial number differs from the genuine one in the last {n} bit only",
        "its serial number differs from the genuine one in the last {n} bits only",
        bits,
    ).format(n=bits),
    "validity": lambda seconds: _("its dates are the genuine ones, moved by {}").format(_time(seconds)),
    "duration": lambda seconds: _("it is valid for {}").format(_time(seconds)),
}
"""The same where a number follows: bits or seconds."""

_NUMBER = re.compile(r"(?:low_bits|shift)?\(?(-?[0-9]{1,12})\)?", re.ASCII)


def _time(seconds: int) -> str:
    days, rest = divmod(seconds, 86400)
    if rest == 0 and abs(days) > 1:
        return ngettext("{n} day", "{n} days", abs(days)).format(n=days)
    return _("{n} h").format(n=round(seconds / 3600))


def evidence_text(code: str) -> str:
    """What was seen that excludes a cause; the words of the code itself where it is of a newer version."""
    return EVIDENCE.get(code, code.replace("_", " "))


def undecided_text(code: str) -> str:
    """What would decide it; the words of the code itself where it is of a newer version."""
    return UNDECIDED.get(code, code.replace("_", " "))


def relation_text(code: str) -> str:
    """How a field of the forged certificate stands to the genuine one, as the registry says it."""
    if code in RELATIONS:
        return RELATIONS[code]
    field, separator, value = code.partition(":")
    number = _NUMBER.fullmatch(value)
    if field in MEASURED and number is not None:
        return MEASURED[field](int(number[1]))
    if field in NAMED and value:
        return NAMED[field].format(value.replace("+", ", ")).replace("_", " ")
    return f"{field}{': ' if separator else ''}{value}".replace("_", " ")
