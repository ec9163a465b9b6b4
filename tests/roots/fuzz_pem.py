"""Coverage-guided fuzzing of certificate files: `python tests/roots/fuzz_pem.py [CORPUS] [-runs=N]`.

Needs atheris. Whatever the octets are, a file must come back, what is found in it must be a sequence, and a
line of settings must be read in any text.
"""

import sys

import atheris

with atheris.instrument_imports(include=["kzmitm.roots", "kzmitm.pki"]):
    from kzmitm.roots.certificate_files import Place, trust_of
    from kzmitm.roots.p11_objects import read_objects, read_trust_file
    from kzmitm.roots.pem import read_certificates
    from kzmitm.roots.tool_settings import SHELLS, TOOLS, settings_in


def one_input(octets: bytes) -> None:
    for read in (read_certificates, read_trust_file, read_objects):
        held = read(octets)
        assert held.broken >= 0
        assert "\n" not in held.problem
        for found in held.certificates:
            assert found.der[0] == 0x30
            for place in Place:
                trust_of(found, place)
    text = octets.decode("utf-8", "replace")
    for form in (*TOOLS, SHELLS):
        assert all(setting.value for setting in settings_in(text, form))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
