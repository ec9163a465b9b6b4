"""Cases of keys, signatures, serial numbers and paths."""

import chain_factory as cf
from chain_factory import root
from suite_builders import (
    BOTH,
    NEVER,
    WEB,
    Case,
    alternate_ca,
    cross_signed_cycle,
    direct,
    dsa_key,
    expired_cross_sign,
    explicit_curve,
    malformed_issuer_key,
    many_names,
    mesh_with_a_way_out,
    p192_key,
    rsa_key_spki,
    same_name_same_key,
    stranger_of_the_same_name,
    with_ca,
)

PATHS = {
    # keys and signatures
    "mismatched-algorithms": Case(
        direct(inner_algorithm=cf.ECDSA_SHA384), NEVER, "signature_algorithm_mismatch"
    ),
    "mismatched-algorithms-in-root": Case(
        direct(lambda: root(inner_algorithm=cf.ECDSA_SHA384)), NEVER, "signature_algorithm_mismatch"
    ),
    "sha1-leaf": Case(direct(algorithm=cf.ECDSA_SHA1), NEVER, "weak_signature"),
    "sha1-root": Case(direct(lambda: root(algorithm=cf.ECDSA_SHA1)), BOTH),
    "sha1-intermediate": Case(with_ca(algorithm=cf.ECDSA_SHA1), NEVER, "weak_signature"),
    "bad-signature": Case(direct(signature=b"\x30\x06\x02\x01\x01\x02\x01\x01"), NEVER, "bad_signature"),
    "rsa-2048": Case(direct(lambda: root(key=cf.rsa_key())), BOTH),
    "rsa-pss": Case(direct(lambda: root(key=cf.rsa_key()), algorithm=cf.pss()), BOTH),
    "rsa-md5": Case(direct(lambda: root(key=cf.rsa_key()), algorithm=cf.RSA_MD5), NEVER, "weak_signature"),
    "rsa-1024-root": Case(direct(lambda: root(key=cf.rsa_key(1024))), WEB, "weak_key"),
    "rsa-1024-leaf": Case(direct(spki=rsa_key_spki(1024)), WEB, "weak_key"),
    "rsa-768-leaf": Case(direct(spki=rsa_key_spki(768)), NEVER, "weak_key"),
    "rsa-2052-leaf": Case(direct(spki=rsa_key_spki(2052)), WEB, "profile_key_strength"),
    "p192-leaf": Case(direct(spki=p192_key()), NEVER, "weak_key"),
    "dsa-leaf": Case(direct(spki=dsa_key()), NEVER, "weak_key"),
    "ed25519-leaf": Case(direct(key=cf.ed25519.Ed25519PrivateKey.generate()), WEB, "profile_key_strength"),
    "explicit-curve-leaf": Case(direct(spki=explicit_curve()), NEVER, "weak_key"),
    "malformed-issuer-key": Case(malformed_issuer_key, NEVER, "unknown_issuer"),
    "serial-zero": Case(direct(serial=0), WEB, "profile_serial"),
    "serial-negative": Case(direct(serial=-5), WEB, "profile_serial"),
    "serial-too-long": Case(direct(serial=1 << 170), WEB, "profile_serial"),
    # paths
    "expired-cross-sign": Case(expired_cross_sign, BOTH),
    "cycle": Case(cross_signed_cycle, NEVER, "unknown_issuer"),
    "cve-2024-0567": Case(mesh_with_a_way_out, BOTH),
    "nc-forbids-alternate-chain-ica": Case(
        alternate_ca(forbidden_goes_nowhere=True), WEB, hostname="fine.example.com"
    ),
    "nc-forbids-same-chain-ica": Case(
        alternate_ca(forbidden_goes_nowhere=False), WEB, hostname="fine.example.com"
    ),
    "stranger-of-the-same-name": Case(stranger_of_the_same_name, NEVER, "unknown_issuer"),
    "same-name-same-key": Case(same_name_same_key, NEVER, "unknown_issuer"),
    "nc-dos": Case(many_names(400), NEVER, "name_constraint", "t0.test"),
}
