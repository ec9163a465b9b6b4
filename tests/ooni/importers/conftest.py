import pytest
from import_support import make_identity


@pytest.fixture(scope="session")
def identity(tmp_path_factory):
    """A folder with leaf.pem and key.pem for www.example.org."""
    folder = tmp_path_factory.mktemp("identity")
    make_identity(folder)
    return folder
