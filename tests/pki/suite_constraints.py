"""Cases of name constraints and policies."""

import chain_factory as cf
from chain_factory import ext, intermediate, leaf, name_constraints, root, seq, tlv
from suite_builders import (
    ANY_POLICY,
    BOTH,
    DNS,
    NC,
    NEVER,
    NO_DNS,
    P1,
    P2,
    SAN,
    WEB,
    Case,
    constrained_root,
    direct,
    mail,
    narrowing,
    policy_chain,
    sans_below,
    self_issued_ca_outside_constraints,
    self_issued_leaf_outside_constraints,
    with_ca,
)

CONSTRAINTS = {
    # name constraints
    "nc-permitted-dns-match": Case(constrained_root(permitted=[DNS]), BOTH),
    "nc-permitted-dns-uncritical": Case(constrained_root(permitted=[DNS], critical=False), BOTH),
    "nc-permitted-dns-mismatch": Case(
        constrained_root(names=["DNS:not-example.com"], permitted=[DNS]),
        NEVER,
        "name_constraint",
        "not-example.com",
    ),
    "nc-permitted-dns-match-more": Case(
        constrained_root(names=["DNS:a.b.example.com"], permitted=[DNS], text="CN=a.b.example.com"),
        BOTH,
        hostname="a.b.example.com",
    ),
    "nc-permitted-dns-empty": Case(constrained_root(permitted=["DNS:"]), BOTH),
    "nc-excluded-dns-match": Case(constrained_root(excluded=[DNS]), NEVER, "name_constraint"),
    "nc-excluded-dns-second": Case(
        constrained_root(names=[DNS, "DNS:no.example.com"], excluded=["DNS:no.example.com"]), NEVER
    ),
    "nc-excluded-beats-permitted": Case(constrained_root(permitted=[DNS], excluded=[DNS]), NEVER),
    "nc-other-form-permitted": Case(constrained_root(permitted=["IP:192.0.2.0/24"]), BOTH),
    "nc-other-form-excluded": Case(constrained_root(excluded=["IP:192.0.2.0/24"]), BOTH),
    "nc-wildcard-subtree": Case(
        constrained_root(permitted=["DNS:*.example.com"]), NEVER, "malformed_extension"
    ),
    "nc-leading-dot": Case(
        constrained_root(names=["DNS:foo.example.com"], permitted=["DNS:.example.com"], text=""),
        WEB,
        "profile_name_constraints",
        "foo.example.com",
    ),
    "nc-leading-dot-is-not-the-apex": Case(constrained_root(permitted=["DNS:.example.com"]), NEVER),
    "nc-leading-dot-wildcard": Case(
        constrained_root(names=["DNS:*.example.com"], permitted=["DNS:.example.com"]),
        WEB,
        "",
        "a.example.com",
    ),
    "nc-leading-dot-excluded-wildcard": Case(
        constrained_root(names=["DNS:*.example.com"], excluded=["DNS:.example.com"]),
        NEVER,
        "",
        "a.example.com",
    ),
    "nc-permitted-ip": Case(
        constrained_root(names=["IP:192.0.2.1"], permitted=["IP:192.0.2.0/24"], text=""),
        WEB,
        "",
        "192.0.2.1",
    ),
    "nc-permitted-ip-mismatch": Case(
        constrained_root(names=["IP:192.0.3.1"], permitted=["IP:192.0.2.0/24"]), NEVER, "", "192.0.3.1"
    ),
    "nc-permitted-ip-of-the-other-family": Case(
        constrained_root(names=["IP:192.0.3.1"], permitted=["IP:::1/128"]), NEVER, "", "192.0.3.1"
    ),
    "nc-excluded-ipv6": Case(constrained_root(names=["IP:::1"], excluded=["IP:::1/128"]), NEVER, "", "::1"),
    "nc-ip-without-mask": Case(
        constrained_root(permitted=["IP:127.0.0.1"], names=["IP:127.0.0.1"]), NEVER, "", "127.0.0.1"
    ),
    "nc-ip-mask-with-holes": Case(
        constrained_root(permitted=[tlv(0x87, bytes((192, 0, 2, 0, 255, 0, 255, 0)))]),
        NEVER,
        "malformed_extension",
    ),
    "nc-permitted-dn": Case(constrained_root(permitted=["DN:CN=example.com"]), BOTH),
    "nc-permitted-dn-by-prefix": Case(
        constrained_root(permitted=["DN:O=Example"], text="O=example, CN=example.com"), BOTH
    ),
    "nc-permitted-dn-mismatch": Case(constrained_root(permitted=["DN:CN=foo"]), NEVER, "name_constraint"),
    "nc-permitted-dn-in-san-alone": Case(
        constrained_root(permitted=["DN:CN=foo"], names=[DNS, "DN:CN=foo"]), NEVER, "name_constraint"
    ),
    "nc-excluded-dn": Case(constrained_root(excluded=["DN:CN=example.com"]), NEVER, "name_constraint"),
    "nc-excluded-dn-in-san": Case(constrained_root(excluded=["DN:CN=foo"], names=[DNS, "DN:CN=foo"]), NEVER),
    "nc-self-issued-ca-exempt": Case(self_issued_ca_outside_constraints, BOTH),
    "nc-self-issued-leaf-not-exempt": Case(
        self_issued_leaf_outside_constraints, NEVER, "name_constraint", "not-example.com"
    ),
    "nc-empty": Case(constrained_root(), NEVER, "malformed_extension"),
    "nc-empty-subtrees": Case(
        with_ca(extra=[ext(NC, seq(tlv(0xA0), tlv(0xA1)), critical=True)]),
        NEVER,
        "malformed_extension",
    ),
    "nc-not-subtrees": Case(
        with_ca(extra=[ext(NC, seq(tlv(0xA0, b"\x05\x00")), critical=True)]), NEVER, "malformed_extension"
    ),
    "nc-malformed-san-below": Case(
        constrained_root(permitted=[DNS], without=[SAN], extra=[ext(SAN, b"no")]),
        NEVER,
        "malformed_extension",
    ),
    "nc-in-leaf": Case(direct(extra=[name_constraints([DNS])]), NEVER, "name_constraint"),
    "nc-with-minimum": Case(
        direct(
            lambda: root(
                extra=[ext(NC, seq(tlv(0xA0, seq(cf.general_name(DNS), tlv(0x80, b"\0")))), critical=True)]
            )
        ),
        NEVER,
        "malformed_extension",
    ),
    "nc-ca-san-rejected-by-ca": Case(
        sans_below([name_constraints(excluded=["DNS:no.example.com"])], ["DNS:no.example.com"], [DNS]),
        NEVER,
    ),
    "nc-ca-san-rejected-by-root": Case(
        sans_below([], ["DNS:no.example.com"], [DNS], [name_constraints(excluded=["DNS:no.example.com"])]),
        NEVER,
    ),
    "nc-narrows": Case(
        narrowing(["DNS:foo.example.com", "DNS:bar.example.com"], ["DNS:bar.example.com"]),
        NEVER,
        "name_constraint",
        "foo.example.com",
    ),
    "nc-cannot-widen": Case(
        narrowing(["DNS:bar.example.com"], ["DNS:foo.example.com", "DNS:bar.example.com"]),
        NEVER,
        "name_constraint",
        "foo.example.com",
    ),
    "nc-invalid-dns-san": Case(
        constrained_root(names=["DNS:.example.com", DNS], permitted=[DNS]), NEVER, "name_constraint"
    ),
    "nc-invalid-ip-san": Case(
        constrained_root(names=["IP:192.0.2.0/24", "IP:192.0.2.1"], permitted=["IP:192.0.2.0/24"]),
        NEVER,
        "malformed_extension",
        "192.0.2.1",
    ),
    "cve-2025-61727": Case(
        constrained_root(names=["DNS:*.example.com"], permitted=[DNS], excluded=["DNS:bar.example.com"]),
        NEVER,
        "name_constraint",
        "bar.example.com",
    ),
    "cve-2025-61727-permits": Case(
        constrained_root(names=["DNS:*.example.com"], permitted=["DNS:foo.example.com"]),
        NEVER,
        "name_constraint",
        "foo.example.com",
    ),
    "nc-wildcard-permitted": Case(
        constrained_root(names=["DNS:*.example.com"], permitted=[DNS], text=""),
        WEB,
        "",
        "a.example.com",
    ),
    "nc-wildcard-excluded-deeper": Case(
        constrained_root(names=["DNS:*.example.com"], excluded=["DNS:a.b.example.com"], text=""),
        WEB,
        "",
        "a.example.com",
    ),
    "nc-othername": Case(
        constrained_root(names=[DNS, f"other:{cf.UNKNOWN}"], excluded=[f"other:{cf.UNKNOWN}"]), NEVER
    ),
    "nc-othername-permitted": Case(
        constrained_root(names=[DNS, f"other:{cf.UNKNOWN}"], permitted=[f"other:{cf.UNKNOWN}"]), NEVER
    ),
    "nc-othername-noop": Case(constrained_root(permitted=[DNS], excluded=[f"other:{cf.UNKNOWN}"]), BOTH),
    "nc-email-exact": Case(mail(["email:foo@example.com"], "email:foo@EXAMPLE.com"), WEB, **NO_DNS),
    "nc-email-other-box": Case(mail(["email:foo@example.com"], "email:Foo@example.com"), NEVER, **NO_DNS),
    "nc-email-host": Case(mail(["email:example.com"], "email:foo@example.com"), WEB, **NO_DNS),
    "nc-email-host-is-exact": Case(mail(["email:example.com"], "email:foo@a.example.com"), NEVER, **NO_DNS),
    "nc-email-domain": Case(mail(["email:.example.com"], "email:foo@a.example.com"), WEB, **NO_DNS),
    "nc-email-malformed": Case(mail(["email:a@b@example.com"], "email:a@example.com"), NEVER, **NO_DNS),
    "nc-email-malformed-name": Case(mail(["email:example.com"], "email:a@b@example.com"), NEVER, **NO_DNS),
    "nc-email-in-subject": Case(
        constrained_root(permitted=["email:other.com"], text="email=a@example.com"),
        NEVER,
        "name_constraint",
    ),
    "nc-uri": Case(mail(["URI:example.com"], "URI:https://example.com/x"), WEB, **NO_DNS),
    "nc-uri-below": Case(mail(["URI:.example.com"], "URI:https://a.example.com:8/x"), WEB, **NO_DNS),
    "nc-uri-outside": Case(mail(["URI:example.com"], "URI:https://a.example.com/"), NEVER, **NO_DNS),
    "nc-uri-address": Case(mail(["URI:example.com"], "URI:https://192.0.2.1/"), NEVER, **NO_DNS),
    "nc-uri-nonsense": Case(mail(["URI:example.com"], "URI:https://[x/"), NEVER, **NO_DNS),
    "nc-malformed-dn": Case(
        constrained_root(permitted=[tlv(0xA4, b"\x30\x01")]), NEVER, "malformed_extension"
    ),
    # policies
    "policy-demanded-and-absent": Case(policy_chain(cf.policy_constraints(0)), NEVER, "policy"),
    "policy-demanded-and-there": Case(
        policy_chain(cf.policy_constraints(0), ca=[cf.policies(P1)], end=[cf.policies(P1, P2)]), BOTH
    ),
    "policy-differs": Case(
        policy_chain(cf.policy_constraints(0), ca=[cf.policies(P1)], end=[cf.policies(P2)]),
        NEVER,
        "policy",
    ),
    "policy-any": Case(
        policy_chain(cf.policy_constraints(0), ca=[cf.policies(ANY_POLICY)], end=[cf.policies(P2)]),
        BOTH,
    ),
    "policy-any-inhibited": Case(
        policy_chain(
            cf.policy_constraints(0),
            ca=[cf.policies(P1), cf.inhibit_any_policy(0)],
            end=[cf.policies(ANY_POLICY)],
        ),
        NEVER,
        "policy",
    ),
    "policy-mapped": Case(
        policy_chain(
            cf.policy_constraints(0),
            ca=[cf.policies(P1), cf.policy_mappings((P1, P2))],
            end=[cf.policies(P2)],
        ),
        BOTH,
    ),
    "policy-mapping-inhibited": Case(
        policy_chain(
            cf.policy_constraints(0, 0),
            ca=[cf.policies(P1), cf.policy_mappings((P1, P2))],
            end=[cf.policies(P2)],
        ),
        BOTH,
    ),
    "policy-mapping-of-any": Case(
        policy_chain(cf.policy_mappings((ANY_POLICY, P1)), ca=[cf.policies(P1)]), NEVER, "policy"
    ),
    "policy-later-for-the-leaf": Case(policy_chain(cf.policy_constraints(1)), NEVER, "policy"),
    "policy-counts-down": Case(
        lambda: (
            [
                leaf(
                    (
                        two := intermediate(
                            (one := intermediate((anchor := root()), extra=[cf.policy_constraints(1)]))
                        )
                    ),
                    extra=[cf.policies(P1)],
                ),
                two,
                one,
            ],
            [anchor],
        ),
        NEVER,
        "policy",
    ),
    "policy-any-inhibited-later": Case(
        policy_chain(
            cf.policy_constraints(0),
            ca=[cf.policies(P1), cf.inhibit_any_policy(5)],
            end=[cf.policies(ANY_POLICY)],
        ),
        BOTH,
    ),
    "policy-mapping-of-another": Case(
        policy_chain(
            cf.policy_constraints(0),
            ca=[cf.policies(P1), cf.policy_mappings(("1.2.9", P2))],
            end=[cf.policies(P1)],
        ),
        BOTH,
    ),
    "policy-mapping-not-allowed": Case(
        lambda: (
            [
                leaf(
                    (
                        two := intermediate(
                            (
                                one := intermediate(
                                    (anchor := root()), extra=[cf.policies(P1), cf.policy_constraints(0, 0)]
                                )
                            ),
                            extra=[cf.policies(P1), cf.policy_mappings((P1, P2))],
                        )
                    ),
                    extra=[cf.policies(P2)],
                ),
                two,
                one,
            ],
            [anchor],
        ),
        NEVER,
        "policy",
    ),
    "policy-of-a-self-issued-ca": Case(
        lambda: (
            [
                leaf(
                    (
                        two := intermediate(
                            (
                                one := intermediate(
                                    (anchor := root()),
                                    extra=[
                                        cf.policies(P1),
                                        cf.policy_constraints(0),
                                        cf.inhibit_any_policy(0),
                                    ],
                                )
                            ),
                            subject=one.subject,
                            extra=[cf.policies(ANY_POLICY)],
                        )
                    ),
                    extra=[cf.policies(P1)],
                ),
                two,
                one,
            ],
            [anchor],
        ),
        BOTH,
    ),
    "policy-later": Case(policy_chain(cf.policy_constraints(5)), BOTH),
    "policy-constraints-uncritical": Case(
        policy_chain(cf.policy_constraints(3, critical=False)), WEB, "profile_policy_constraints"
    ),
    "policy-demanded-by-leaf": Case(direct(extra=[cf.policy_constraints(0)]), NEVER, "policy"),
    "policy-malformed": Case(policy_chain(ext("2.5.29.36", b"x", critical=True)), NEVER, "policy"),
}
