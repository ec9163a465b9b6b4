"""mitmproxy with the look-alike intermediate, for watched names only."""

import re

from kzmitm.lab.laboratory import Lab
from kzmitm.lab.pki import pem
from kzmitm.lab.profile import Place, Profile, forged
from kzmitm.lab.sites import WATCHED

NAME = "mitmproxy"


def _on(lab: Lab) -> None:
    ca = lab.look_alike.intermediate
    configuration = lab.directory / NAME
    configuration.mkdir()
    (configuration / "mitmproxy-ca.pem").write_bytes(ca.key_pem + pem(ca.certificate) + ca.chain_pem)
    store = lab.directory / f"{NAME}-store.pem"
    store.write_bytes(lab.public_ca.store_pem)
    modes = [
        part for here, there in lab.relay(NAME) for part in ("--mode", f"reverse:https://{there}@{here}")
    ]
    options = {
        "confdir": configuration,
        "ssl_verify_upstream_trusted_ca": store,
        "connection_strategy": "eager",
        # the name the client asked for goes on to the origin
        "keep_host_header": "true",
        "allow_hosts": f"^({'|'.join(map(re.escape, WATCHED))}):",
    }
    settings = [part for key, value in options.items() for part in ("--set", f"{key}={value}")]
    lab.start(NAME, [lab.program(NAME), *modes, *settings])
    lab.wait_for(NAME)


def _off(lab: Lab) -> None:
    lab.stop(NAME)


PROFILE = Profile(
    name=NAME,
    title="mitmproxy, for watched names only",
    place=Place.PATH,
    sites=("video.lab.test", "music.lab.test"),
    expected=forged("mitmproxy-eager"),
    on=_on,
    off=_off,
    selective=True,
    needs=(NAME,),
)
