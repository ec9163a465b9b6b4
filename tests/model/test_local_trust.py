from hashlib import sha256

import pytest

from kzmitm.model.local_trust import LocalTrust


@pytest.mark.parametrize(
    ("root", "accepted", "origins", "known", "added"),
    [
        (b"", None, (), False, False),
        (b"", False, (), True, False),
        (b"r", True, ("vendor",), True, False),
        (b"r", False, ("user", "vendor"), True, True),
        (b"r", None, ("admin",), True, True),
        (b"", False, ("admin",), True, False),
    ],
)
def test_what_is_known(root, accepted, origins, known, added):
    trust = LocalTrust(leaf_sha256="", accepted=accepted, root=root, origins=origins)
    assert (trust.is_known, trust.is_added) == (known, added)
    assert trust.root_sha256 == (sha256(root).hexdigest() if root else "")
