"""Certificate policies (RFC 5280, 6.1.2 to 6.1.5), asked for as the web does: any policy will do.

Then only one thing can fail: an issuer demands an explicit policy and no policy holds along the path.
"""

from collections.abc import Sequence

from kzmitm.pki import der
from kzmitm.pki import extensions as ext
from kzmitm.pki.anatomy import Anatomy
from kzmitm.pki.der import DERError

ANY_POLICY = "2.5.29.32.0"

_POLICY_EXTENSIONS = (ext.POLICY_CONSTRAINTS, ext.INHIBIT_ANY_POLICY, ext.POLICY_MAPPINGS)


def breaks_policy(path: Sequence[Anatomy], *, anchored: bool = True) -> bool:
    """True if an explicit policy is demanded on this path (leaf first) and none holds, or it is malformed."""
    for parts in path:
        if not parts.values.keys().isdisjoint(_POLICY_EXTENSIONS):
            break
    else:
        return False  # nearly always
    below_anchor = path[:-1] if anchored and len(path) > 1 else path
    try:
        return _Policies(len(below_anchor)).run(below_anchor)
    except DERError:
        return True


class _Policies:
    """The state variables of RFC 5280, 6.1.2, the tree as the set of its leaves' expected policies.

    Once that set is empty it stays so, and once an explicit policy is demanded it stays so: one look at
    the end tells both.
    """

    def __init__(self, length: int) -> None:
        self.explicit = self.any_allowed = self.mapping_allowed = length + 1
        self.valid: set[str] = {ANY_POLICY}

    def run(self, path: Sequence[Anatomy]) -> bool:
        """Processes the certificates from under the anchor to the leaf; True if policy fails."""
        for number in range(len(path) - 1, 0, -1):
            parts = path[number]
            self._take(parts, allow_any=self.any_allowed > 0 or parts.certificate.is_self_issued)
            self._prepare(parts)
        leaf = path[0]
        self._take(leaf, allow_any=self.any_allowed > 0)
        self.explicit -= self.explicit > 0
        if _constraint(leaf, 0x80) == 0:
            self.explicit = 0
        return self.explicit <= 0 and not self.valid

    def _take(self, parts: Anatomy, *, allow_any: bool) -> None:
        stated = read_policies(parts.values.get(ext.CERTIFICATE_POLICIES))
        if ANY_POLICY in stated and allow_any:
            return
        self.valid = stated - {ANY_POLICY} if ANY_POLICY in self.valid else self.valid & stated

    def _prepare(self, parts: Anatomy) -> None:
        mappings = read_mappings(parts.values.get(ext.POLICY_MAPPINGS))
        for issuer_policy, subject_policies in mappings.items():
            if issuer_policy in self.valid or ANY_POLICY in self.valid:
                self.valid.discard(issuer_policy)
                if self.mapping_allowed > 0:
                    self.valid |= subject_policies
        if not parts.certificate.is_self_issued:
            self.explicit -= self.explicit > 0
            self.mapping_allowed -= self.mapping_allowed > 0
            self.any_allowed -= self.any_allowed > 0
        if (skip := _constraint(parts, 0x80)) is not None:
            self.explicit = min(self.explicit, skip)
        if (skip := _constraint(parts, 0x81)) is not None:
            self.mapping_allowed = min(self.mapping_allowed, skip)
        if (value := parts.values.get(ext.INHIBIT_ANY_POLICY)) is not None:
            start, stop = der.whole(value, der.INTEGER)
            self.any_allowed = min(self.any_allowed, der.read_integer(value, start, stop))


def _constraint(parts: Anatomy, wanted: int) -> int | None:
    """The number of certificates after which a policyConstraints field takes effect, None without it."""
    value = parts.values.get(ext.POLICY_CONSTRAINTS)
    if value is None:
        return None
    start, stop = der.whole(value, der.SEQUENCE)
    found = None
    for tag, _, first, last in der.elements(value, start, stop):
        skip = der.read_integer(value, first, last)
        if tag == wanted:
            found = skip
    return found


def read_policies(value: bytes | None) -> set[str]:
    """The policies that a certificate states. Raises DERError on a malformed value."""
    if value is None:
        return set()
    start, stop = der.whole(value, der.SEQUENCE)
    return {der.read_oid(value, first, last)[0] for _, _, first, last in der.elements(value, start, stop)}


def read_mappings(value: bytes | None) -> dict[str, set[str]]:
    """Policy mappings: the issuer's policy to the subject's that stand for it."""
    mappings: dict[str, set[str]] = {}
    if value is None:
        return mappings
    start, stop = der.whole(value, der.SEQUENCE)
    for _, _, first, last in der.elements(value, start, stop):
        issuer_policy, pos = der.read_oid(value, first, last)
        subject_policy, _ = der.read_oid(value, pos, last)
        if ANY_POLICY in (issuer_policy, subject_policy):
            raise DERError("any policy is not mapped (RFC 5280, 6.1.4 a)")
        mappings.setdefault(issuer_policy, set()).add(subject_policy)
    return mappings
