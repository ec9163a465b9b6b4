"""Coverage-guided fuzzing of the certificate parser: `python tests/pki/fuzz_parse.py [CORPUS] [-runs=N]`.

Needs atheris. Whatever the octets are, a certificate must come back, and where nothing is wrong with
it, `cryptography` must read the same.
"""

import sys
import warnings
from contextlib import suppress
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent))

with atheris.instrument_imports(include=["kzmitm.pki"]):
    from kzmitm.pki.cache import CertificateCache
    from kzmitm.pki.constraints import names_of, read_name_constraints
    from kzmitm.pki.der import DERError
    from kzmitm.pki.extensions import NAME_CONSTRAINTS
    from kzmitm.pki.parse import dissect

from cryptography import x509
from test_pki_parse import assert_same

warnings.simplefilter("ignore")
CACHE = CertificateCache(16)


def one_input(octets: bytes) -> None:
    parts = dissect(octets)
    certificate = parts.certificate
    assert certificate.der == octets
    str(certificate.subject), str(certificate.issuer), names_of(parts)
    CACHE.is_signed_by(certificate, certificate)
    with suppress(DERError):
        read_name_constraints(parts.values.get(NAME_CONSTRAINTS, b""))
    if certificate.parse_error is not None:
        return
    try:
        theirs = x509.load_der_x509_certificate(octets)
        list(theirs.extensions), list(theirs.subject), list(theirs.issuer)
        str(theirs.not_valid_after_utc), str(theirs.not_valid_before_utc)
    except (ValueError, TypeError, x509.DuplicateExtension):
        return
    assert_same(certificate, theirs)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
