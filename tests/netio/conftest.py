import pytest
from self_signed import self_signed

from kzmitm.resources import truststore_files


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """Paths of a self-signed certificate for a.test, localhost and the loopback addresses, and of its key."""
    return self_signed(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="session")
def pinned_roots():
    """Public roots, none of which vouches for anything on loopback."""
    return truststore_files()["mozilla.pem"].decode()
