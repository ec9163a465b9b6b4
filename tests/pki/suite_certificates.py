"""Cases of names, CAs, usage, purposes, lengths and time."""

from datetime import UTC, datetime

import chain_factory as cf
from chain_factory import alt_names, ext, leaf, root, seq, tlv
from suite_builders import (
    AKI,
    BC,
    BOTH,
    DNS,
    EKU,
    KU,
    NEVER,
    NO_DNS,
    SAN,
    SECOND,
    SKI,
    WEB,
    Case,
    cross_signed_cycle,
    direct,
    lengths,
    no_ku,
    swapped,
    unknown_critical,
    with_ca,
)

CERTIFICATES = {
    # names
    "exact-dns-san": Case(direct(), BOTH),
    "exact-ip-san": Case(direct(names=["IP:127.0.0.1"], text=""), WEB, hostname="127.0.0.1"),
    "ipv6-san": Case(direct(names=["IP:2001:db8::1"]), WEB, hostname="2001:DB8:0::1"),
    "ip-as-dns-san": Case(direct(names=["DNS:127.0.0.1"]), NEVER, "name_mismatch", "127.0.0.1"),
    "trailing-dot-of-the-host": Case(direct(), BOTH, hostname="Example.COM."),
    "mismatch-domain": Case(direct(), NEVER, "name_mismatch", "example2.com"),
    "mismatch-apex": Case(direct(), NEVER, "name_mismatch", "abc.example.com"),
    "leftmost-wildcard": Case(direct(names=["DNS:*.example.com"], text=""), WEB, hostname="foo.example.com"),
    "wildcard-is-not-the-apex": Case(direct(names=["DNS:*.example.com"]), NEVER, "name_mismatch"),
    "wildcard-embedded": Case(direct(names=["DNS:ba*.example.com"]), NEVER, "", "baz.example.com"),
    "wildcard-not-leftmost": Case(direct(names=["DNS:foo.*.example.com"]), NEVER, "", "foo.bar.example.com"),
    "wildcard-across-labels": Case(direct(names=["DNS:*.example.com"]), NEVER, "", "foo.bar.example.com"),
    "wildcard-in-a-label": Case(
        direct(names=["DNS:xn--*-1b3c148a.example.com"]), NEVER, "", "xn--bliss-1b3c148a.example.com"
    ),
    "wildcard-itself": Case(direct(names=["DNS:*.example.com"]), NEVER, "", "*.example.com"),
    "public-suffix-wildcard": Case(direct(names=["DNS:*.com"]), NEVER, "name_mismatch"),
    "unicode-emoji-san": Case(direct(names=["DNS:😜.example.com"]), NEVER, "", "xn--628h.example.com"),
    "no-san": Case(direct(without=[SAN]), NEVER, "no_san"),
    "malformed-san": Case(
        direct(without=[SAN], extra=[ext(SAN, b"example.com")]), NEVER, "malformed_extension"
    ),
    "empty-san": Case(direct(without=[SAN], extra=[ext(SAN, seq())]), NEVER, "malformed_extension"),
    "underscore-dns": Case(
        direct(names=["DNS:a_b.example.com"]), WEB, "profile_host_names", "a_b.example.com"
    ),
    "san-critical-with-subject": Case(
        direct(without=[SAN], extra=[alt_names(DNS, critical=True)]), WEB, "profile_alt_names"
    ),
    "san-uncritical-without-subject": Case(direct(text=""), WEB, "profile_alt_names"),
    "san-critical-without-subject": Case(
        direct(text="", without=[SAN], extra=[alt_names(DNS, critical=True)]), BOTH
    ),
    "cn-not-in-san": Case(direct(text="CN=Example.COM"), WEB, "profile_common_name"),
    # CAs and usage
    "ee-empty-issuer": Case(direct(issuer=cf.name("")), NEVER, "unknown_issuer"),
    "ca-empty-subject": Case(direct(lambda: root("")), NEVER, "empty_subject"),
    "unknown-critical-leaf": Case(unknown_critical("leaf"), NEVER, "critical_extension"),
    "unknown-critical-intermediate": Case(unknown_critical("ca"), NEVER, "critical_extension"),
    "unknown-critical-root": Case(unknown_critical("root"), NEVER, "critical_extension"),
    "intermediate-without-ca-bit": Case(
        with_ca(without=[BC], extra=[cf.basic_constraints(ca=False)]), NEVER, "not_a_ca"
    ),
    "intermediate-without-basic-constraints": Case(with_ca(without=[BC]), NEVER, "not_a_ca"),
    "root-without-basic-constraints": Case(direct(lambda: root(without=[BC])), NEVER, "not_a_ca"),
    "root-uncritical-basic-constraints": Case(
        direct(lambda: root(without=[BC], extra=[cf.basic_constraints(critical=False)])),
        WEB,
        "profile_basic_constraints",
    ),
    "root-without-cert-sign": Case(direct(lambda: root(**no_ku(1))), NEVER, "key_usage"),
    "intermediate-without-cert-sign": Case(with_ca(**no_ku(0)), NEVER, "key_usage"),
    "intermediate-without-key-usage": Case(with_ca(without=[KU]), BOTH),
    "leaf-with-cert-sign": Case(direct(**no_ku(0, 5)), WEB, "profile_key_usage"),
    "leaf-with-empty-key-usage": Case(direct(**no_ku()), NEVER, "key_usage"),
    "leaf-without-key-usage": Case(direct(without=[KU]), BOTH),
    "critical-aia": Case(direct(extra=[cf.info_access(critical=True)]), NEVER, "critical_extension"),
    "aia": Case(direct(extra=[cf.info_access()]), BOTH),
    "malformed-aia": Case(direct(extra=[ext("1.3.6.1.5.5.7.1.1", b"no")]), NEVER, "malformed_extension"),
    "empty-aia": Case(direct(extra=[ext("1.3.6.1.5.5.7.1.1", seq())]), NEVER, "malformed_extension"),
    "duplicate-extensions": Case(direct(extra=[alt_names(DNS)]), NEVER, "duplicate_extension"),
    "ca-as-leaf": Case(lambda: ([leaf((a := root()), extra=[cf.basic_constraints()])], [a]), WEB),
    "root-and-intermediate-swapped": Case(swapped, BOTH),
    "critical-ski": Case(
        direct(lambda: root(without=[SKI], extra=[cf.subject_key_id(b"id", critical=True)])),
        NEVER,
        "critical_extension",
    ),
    "root-without-ski": Case(direct(lambda: root(without=[SKI])), WEB, "profile_subject_key_id"),
    "intermediate-without-ski": Case(with_ca(without=[SKI]), WEB, "profile_subject_key_id"),
    "critical-aki": Case(
        direct(lambda: root(extra=[cf.authority_key_id(b"id", critical=True)])),
        NEVER,
        "critical_extension",
    ),
    "leaf-without-aki": Case(direct(without=[AKI]), WEB, "profile_authority_key_id"),
    "intermediate-without-aki": Case(with_ca(without=[AKI]), WEB, "profile_authority_key_id"),
    "root-aki-without-key-id": Case(
        direct(lambda: root(extra=[cf.authority_key_id(None)])), WEB, "profile_authority_key_id"
    ),
    "root-aki-with-issuer-and-serial": Case(
        direct(
            lambda: root(
                key=(k := cf.ec_key()), extra=[cf.authority_key_id(cf.key_id(k), issuer="CN=x", serial=1)]
            )
        ),
        WEB,
        "profile_authority_key_id",
    ),
    "root-aki-of-another": Case(
        direct(lambda: root(extra=[cf.authority_key_id(b"other")])), WEB, "profile_authority_key_id"
    ),
    "malformed-aki": Case(
        direct(without=[AKI], extra=[ext(AKI, seq(tlv(0x85)))]), NEVER, "malformed_extension"
    ),
    "unknown-issuer": Case(lambda: ([leaf(root("CN=x"))], [root()]), NEVER, "unknown_issuer"),
    "v1-leaf": Case(direct(version=None, extensions=[]), NEVER, "no_san"),
    "extensions-in-v1": Case(direct(version=1), NEVER, "version"),
    "v4": Case(direct(version=4), NEVER, "unparsable"),
    "v1-anchor": Case(direct(lambda: root(version=None, extensions=[])), WEB, "profile_version"),
    "v1-intermediate": Case(with_ca(version=None, extensions=[]), NEVER, "not_a_ca"),
    # purposes
    "wrong-eku": Case(direct(without=[EKU], extra=[cf.purposes(cf.CLIENT_AUTH)]), NEVER, "ext_key_usage"),
    "no-eku": Case(direct(without=[EKU]), WEB, "profile_ext_key_usage"),
    "any-eku": Case(direct(without=[EKU], extra=[cf.purposes(cf.ANY_PURPOSE)]), WEB),
    "empty-eku": Case(direct(without=[EKU], extra=[cf.purposes()]), NEVER, "malformed_extension"),
    "critical-eku": Case(direct(without=[EKU], extra=[cf.purposes(cf.SERVER_AUTH, critical=True)]), WEB),
    "both-ekus": Case(direct(without=[EKU], extra=[cf.purposes(cf.SERVER_AUTH, cf.CLIENT_AUTH)]), BOTH),
    "more-ekus": Case(direct(without=[EKU], extra=[cf.purposes(cf.SERVER_AUTH, "1.3.6.1.5.5.7.3.3")]), WEB),
    "root-with-eku": Case(direct(lambda: root(extra=[cf.purposes(cf.SERVER_AUTH)])), WEB),
    "intermediate-with-eku": Case(with_ca(extra=[cf.purposes(cf.SERVER_AUTH)]), BOTH),
    "intermediate-with-other-eku": Case(with_ca(extra=[cf.purposes(cf.CLIENT_AUTH)]), NEVER, "ext_key_usage"),
    "client": Case(direct(without=[EKU], extra=[cf.purposes(cf.CLIENT_AUTH)]), BOTH, **NO_DNS),
    # path lengths
    "pathlen-0": Case(lengths(0), BOTH),
    "pathlen-violated": Case(lengths(0, 0), NEVER, "path_length"),
    "pathlen-may-increase": Case(lengths(1, 2), BOTH),
    "pathlen-too-long": Case(lengths(1, 0, 0), NEVER, "path_length"),
    "pathlen-self-issued-not-counted": Case(lengths(1, 1, 0, self_issued=1), BOTH),
    "depth-0": Case(direct(), BOTH, depth=0),
    "depth-0-exceeded": Case(lengths(None), NEVER, "too_long", depth=0),
    "depth-1": Case(lengths(None), BOTH, depth=1),
    "depth-1-self-issued": Case(lengths(None, None, self_issued=1), BOTH, depth=1),
    "depth-255-cycle": Case(cross_signed_cycle, NEVER, "unknown_issuer", depth=255),
    # time
    "notbefore-exact": Case(direct(not_before=cf.NOW), BOTH),
    "notbefore-fractional": Case(
        direct(not_before=cf.NOW + SECOND), NEVER, "leaf_not_yet_valid", now=cf.NOW + SECOND * 0.999
    ),
    "notafter-exact": Case(direct(not_after=cf.NOW), BOTH),
    "notafter-fractional": Case(direct(not_after=cf.NOW), BOTH, now=cf.NOW + SECOND * 0.005),
    "notafter-passed": Case(direct(not_after=cf.NOW), NEVER, "leaf_expired", now=cf.NOW + SECOND),
    "expired-root": Case(direct(lambda: root(not_after=cf.days(-1))), NEVER, "anchor_expired"),
    "expired-intermediate": Case(with_ca(not_after=cf.days(-1)), NEVER, "intermediate_expired"),
    "intermediate-not-yet-valid": Case(with_ca(not_before=cf.days(1)), NEVER, "intermediate_not_yet_valid"),
    "a-thousand-years": Case(
        direct(not_before=datetime(1970, 1, 1, tzinfo=UTC), not_after=datetime(2969, 5, 3, tzinfo=UTC)),
        BOTH,
    ),
}
