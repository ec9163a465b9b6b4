"""Situations as the tests other than web_connectivity see them."""

from corpora import experiments
from corpora.interceptions import STATE, intermediate
from corpora.rows import Handshake
from corpora.scene import Made, Scene
from corpora.sites import named
from corpora.situations import HOSTNAME, NEW, UNKNOWN, good, situation, stored

HELPER = "example.org"


def _forged_chain(scene: Scene) -> list[str]:
    boxes = scene.world.look_alikes
    issuer, root = boxes.current(scene.moment)
    return [boxes.leaf(scene.site.domain, issuer, scene.moment), issuer.base64, root.base64]


def _unverified(chain: list[str]) -> Handshake:
    return Handshake(None, chain, no_tls_verify=True)


@situation("interception", match="certificate", test_name="urlgetter", eras=NEW, **STATE)
def isca_no_tls_verify(scene: Scene) -> Made:
    """urlgetter was told not to verify: no failure, and the whole forged chain up to its root."""
    chain = _forged_chain(scene)
    return Made(experiments.urlgetter(scene, _unverified(chain)), chain[1])


@situation("interception", match="signature", test_name="tlsmiddlebox", eras=NEW, **STATE)
def isca_tlsmiddlebox(scene: Scene) -> Made:
    """The trace of the watched name ends four hops before the helper, with a forged chain."""
    chain = _forged_chain(scene)[:2]
    helper = _unverified(scene.genuine(named(experiments.HELPER)))
    return Made(experiments.tlsmiddlebox(scene, 10, _unverified(chain), helper), chain[1])


@situation("interception", match="signature", test_name="tlsping", eras=NEW, **STATE)
def isca_tlsping(scene: Scene) -> Made:
    """Forged ten times in ten seconds."""
    issuer = intermediate(scene)
    return Made(experiments.tlsping(scene, stored(UNKNOWN, issuer)), issuer)


@situation("interception", match="signature", test_name="sni_blocking", eras=NEW, **STATE)
def isca_sni_blocking(scene: Scene) -> Made:
    """The helper's address, asked for the watched name, shows a forged certificate."""
    issuer, helper = intermediate(scene), named(HELPER)
    result = "interference.unknown_authority"
    made = experiments.sni_blocking(scene, stored(UNKNOWN, issuer), helper, good(scene, helper), result)
    return Made(made, issuer)


@situation("interception", match="signature", test_name="echcheck", eras=NEW, **STATE)
def isca_echcheck(scene: Scene) -> Made:
    """Forged without and with the encrypted hello."""
    issuer = intermediate(scene)
    forged = stored(UNKNOWN, issuer)
    return Made(experiments.echcheck(scene, forged, forged), issuer)


@situation("clean", test_name="urlgetter", eras=NEW, weight=30.0)
def clean_no_tls_verify(scene: Scene) -> Made:
    """Not verified by the probe, and genuine: to be verified from the stored chain."""
    return Made(experiments.urlgetter(scene, _unverified(scene.genuine())))


@situation("clean", test_name="tlsmiddlebox", eras=NEW, weight=30.0)
def clean_tlsmiddlebox(scene: Scene) -> Made:
    """Both traces end at the helper, which shows its own certificate for either name."""
    helper = _unverified(scene.genuine(named(experiments.HELPER)))
    return Made(experiments.tlsmiddlebox(scene, 14, None, helper))


@situation("clean", test_name="tlsping", eras=NEW, weight=30.0)
def clean_tlsping(scene: Scene) -> Made:
    """Genuine ten times."""
    return Made(experiments.tlsping(scene, good(scene)))


@situation(
    "clean", accept=("inconclusive", "origin_misconfigured"), test_name="sni_blocking", eras=NEW, weight=30.0
)
def clean_sni_blocking(scene: Scene) -> Made:
    """The helper shows its own certificate: of another name than was asked, and nobody forged it."""
    helper = named(HELPER)
    end = stored(HOSTNAME, scene.genuine(helper)[0])
    return Made(experiments.sni_blocking(scene, end, helper, good(scene, helper), "success.got_server_hello"))


@situation("clean", test_name="echcheck", eras=NEW, weight=30.0)
def clean_echcheck(scene: Scene) -> Made:
    """Genuine without and with the encrypted hello."""
    return Made(experiments.echcheck(scene, good(scene), good(scene)))
