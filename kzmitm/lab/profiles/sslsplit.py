"""sslsplit forging every certificate with the look-alike intermediate."""

from kzmitm.lab.laboratory import Lab
from kzmitm.lab.pki import pem
from kzmitm.lab.profile import Place, Profile, forged
from kzmitm.lab.sslsplit import proxy_specs

NAME = "sslsplit"


def _on(lab: Lab) -> None:
    ca = lab.look_alike.intermediate
    key, certificate, root = (lab.directory / f"{NAME}-{part}.pem" for part in ("key", "ca", "root"))
    key.write_bytes(ca.key_pem)
    certificate.write_bytes(pem(ca.certificate))
    root.write_bytes(ca.chain_pem)
    proxies = proxy_specs(lab, NAME, "https")
    lab.start(
        NAME,
        [lab.program(NAME), "-k", str(key), "-c", str(certificate), "-C", str(root), "-P", *proxies],
    )
    lab.wait_for(NAME)


def _off(lab: Lab) -> None:
    lab.stop(NAME)


PROFILE = Profile(
    name=NAME,
    title="sslsplit, forging every certificate",
    place=Place.PATH,
    sites=("mail.lab.test", "chat.lab.test"),
    expected=forged("sslsplit"),
    on=_on,
    off=_off,
    needs=(NAME,),
)
