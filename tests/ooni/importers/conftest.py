import subprocess

import pytest
from import_support import need


@pytest.fixture(scope="session")
def identity(tmp_path_factory):
    """A folder with leaf.pem and key.pem for www.example.org."""
    folder = tmp_path_factory.mktemp("identity")
    subprocess.run(
        [need("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes"]
        + ["-keyout", folder / "key.pem", "-out", folder / "leaf.pem"]
        + ["-subj", "/CN=www.example.org", "-addext", "subjectAltName=DNS:www.example.org", "-days", "30"],
        check=True,
        capture_output=True,
    )
    return folder
