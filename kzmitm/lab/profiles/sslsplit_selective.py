"""sslsplit with leaves forged beforehand in the manner of 2019; what is not watched passes through."""

from kzmitm.lab.laboratory import Lab
from kzmitm.lab.pki import pem
from kzmitm.lab.profile import Place, Profile, forged
from kzmitm.lab.sslsplit import proxy_specs

NAME = "sslsplit_selective"
PACKAGE = "sslsplit"


def _on(lab: Lab) -> None:
    forgeries = lab.directory / NAME
    forgeries.mkdir()
    for hostname in lab.sites_of(NAME):
        if lab.sites[hostname].watched:
            leaf = lab.look_alike.forge(lab.shown(hostname).certificate)
            content = pem(leaf.certificate) + leaf.chain_pem + leaf.key_pem
            (forgeries / f"{hostname}.pem").write_bytes(content)
    proxies = proxy_specs(lab, NAME, "ssl")
    # Without a CA of its own (-k, -c) it forges nothing else; -P lets that pass.
    lab.start(NAME, [lab.program(PACKAGE), "-t", str(forgeries), "-P", *proxies])
    lab.wait_for(NAME)


def _off(lab: Lab) -> None:
    lab.stop(NAME)


PROFILE = Profile(
    name=NAME,
    title="sslsplit as in Kazakhstan in 2019, for watched names only",
    place=Place.PATH,
    sites=("social.lab.test", "news.lab.test"),
    expected=forged("kazakhstan-2019-late"),
    on=_on,
    off=_off,
    selective=True,
    needs=(PACKAGE,),
)
