"""What each rule saw, in plain English: the grounds of a verdict."""

from collections.abc import Mapping, Sequence

from kzmitm.report.language import N_, Words

MAX_GROUNDS = 6
"""Rules that are told of one verdict, the deciding ones first; `--json` has all."""

GROUNDS: Mapping[str, str] = Words(
    {
        "attribution.family": N_(
            "the certificates are built in the manner of a known interception authority"
        ),
        "attribution.family_and_in_control": N_(
            "the certificates are built as a known interceptor's, and a clean place gets the very same"
        ),
        "attribution.name": N_("an interception product's name stands over a certificate for this very site"),
        "attribution.name_over_another_host": N_(
            "an interception product's name stands over a certificate for something else, maybe for itself"
        ),
        "blocked.cut_for_this_hello": N_(
            "the site is cut off, yet asked for in another way it answers at the same address"
        ),
        "blocked.cut_for_this_name": N_(
            "at the same address this name is cut off and a harmless one is answered"
        ),
        "blocked.cut_once": N_(
            "it was cut off at first and then answered as it should: an accident of the network"
        ),
        "blocked.cut_unlike_control": N_(
            "at this very address a clean place gets the genuine site, and here it is cut off"
        ),
        "blocked.hello_not_understood": N_(
            "the site did not understand how it was asked first, and then answered"
        ),
        "blocked.refused_for_this_name": N_(
            "at the same address this name is refused and a harmless one is answered"
        ),
        "blocked.refused_unlike_control": N_(
            "this name is refused here, while a harmless one is answered and a clean place gets the "
            "genuine site"
        ),
        "blocked.tcp_unlike_control": N_(
            "no connection comes about at addresses where a clean place gets the genuine site"
        ),
        "clock.every_host_out_of_time": N_(
            "nearly every site seems out of date: the clock of this computer may be wrong"
        ),
        "clock.leaf_from_the_future": N_(
            "the certificate begins in the future: the clock of this computer may be late"
        ),
        "clock.trusted_at_true_time": N_(
            "at the time that others tell, the certificate is fine: this clock is wrong"
        ),
        "contrast.comes_and_goes": N_(
            "asked several times, it is now a forged and now the genuine certificate"
        ),
        "contrast.control_is_genuine": N_(
            "at the site's own address a clean place gets a genuine certificate with another key"
        ),
        "contrast.control_is_genuine_address_unconfirmed": N_(
            "a clean place gets a genuine certificate with another key, but nobody vouches for this address"
        ),
        "contrast.control_is_genuine_other_names": N_(
            "a clean place gets the genuine certificate at this address; here one for somebody else is shown"
        ),
        "contrast.control_was_genuine": N_(
            "a clean place got a genuine certificate with another key at this address, a long time away"
        ),
        "contrast.copied_names": N_(
            "the names of the genuine certificate were copied onto another key of an unknown issuer"
        ),
        "contrast.minted_for_any_name": N_(
            "an unknown issuer makes certificates for whatever name is asked, even for one that "
            "exists nowhere"
        ),
        "contrast.only_claims_a_public_issuer": N_(
            "the issuer calls itself a public authority without proof, and the genuine certificate has "
            "another key"
        ),
        "contrast.only_this_address": N_(
            "another address of the site shows a genuine certificate with another key"
        ),
        "contrast.only_this_hello": N_("asked in another way, the same address shows a genuine certificate"),
        "contrast.only_this_name": N_(
            "at the same address a harmless name draws a genuine certificate, this name one of an "
            "unknown issuer"
        ),
        "contrast.only_this_name_where_others_live": N_(
            "the harmless site itself answers at this address, and this name draws an unknown issuer"
        ),
        "contrast.self_signed_beside_genuine": N_(
            "the same address shows in turn a certificate that it signed itself and a genuine one"
        ),
        "dns.bogon_but_genuine": N_(
            "the system's resolver leads to an inner address; where an encrypted one leads, the "
            "real site answers"
        ),
        "dns.bogon_that_is_silent": N_(
            "the system's resolver leads to an inner address, where nobody answers; others know a public one"
        ),
        "dns.denied_unlike_control": N_(
            "the system's resolver says that the name does not exist, and a clean place reaches the site"
        ),
        "dns.denied": N_(
            "the system's resolver denies a name that an encrypted one knows, and nobody answered"
        ),
        "dns.denied_but_genuine": N_(
            "the system's resolver denies the name; at the address of an encrypted one the real site answers"
        ),
        "dns.genuine_elsewhere": N_(
            "only the system's resolver gives this address, somebody else's; at another one the "
            "site is genuine"
        ),
        "dns.impostor_at_a_wrong_address": N_(
            "a clean place finds the same impostor at this address, and the genuine site at those "
            "it was given"
        ),
        "dns.no_such_name": N_("neither the system's resolver nor an encrypted one knows the name"),
        "dns.one_address_for_many_names": N_(
            "names that have nothing to do with each other were sent to this one address"
        ),
        "dns.only_one_resolver_denies": N_(
            "the system's resolver knows no address, and no other could be asked"
        ),
        "dns.private_answer": N_(
            "the system's resolver gives an inner address, and an encrypted one public addresses"
        ),
        "dns.private_site_of_that_name": N_(
            "an inner address with a certificate for this very name: a company's inner site looks like that"
        ),
        "fallback.chain_not_whole": N_(
            "certificates of the site were not kept, and the missing ones may be what vouches for it"
        ),
        "fallback.cut_after_chain": N_(
            "the certificates are fine, but it broke off before it proved to hold their key"
        ),
        "fallback.no_chain": N_("no certificate came, and nothing tells a filter from a broken site"),
        "fallback.nothing_measured": N_("nothing was measured"),
        "fallback.untrusted_chain": N_(
            "no public authority vouches for the certificate, and nothing tells a forger from a broken site"
        ),
        "harmless_ca.by_name_only": N_(
            "the issuer has the name of an authority for origin servers or for tests, and nothing proves "
            "that it is that"
        ),
        "harmless_ca.for_origin_servers": N_(
            "it was made by an authority for servers behind a delivery network, and not for browsers: the "
            "site is set up wrongly, and most likely not intercepted"
        ),
        "harmless_ca.for_tests": N_(
            "it was made by an authority for tests, and not for browsers: the site is set up wrongly, and "
            "most likely not intercepted"
        ),
        "harmless_ca.no_longer_for_browsers": N_(
            "it was made by an authority that Firefox, if not every browser, has dropped since: most likely "
            "the site never changed it"
        ),
        "harmless_ca.signed_after_it_was_dropped": N_(
            "it was made by an authority that Firefox, if not every browser, has dropped, and nothing shows "
            "that it was made before"
        ),
        "known_ca.beside_the_chain": N_(
            "a certificate of a known interceptor was sent along, but signed nothing here"
        ),
        "known_ca.signed": N_("a known interceptor's key stands above the certificate"),
        "known_ca.signed_and_in_control": N_(
            "a known interceptor's key stands above the certificate, and a clean place gets the very same one"
        ),
        "known_ca.signed_for_other_names": N_(
            "no certificate came for this name, and here a known interceptor's key signs for other names"
        ),
        "local_root.product": N_(
            "the root of an interception product was added to this computer, and it vouches for the "
            "certificate"
        ),
        "local_root.unknown_over_one_site": N_(
            "a root of nobody we know was added to this computer and vouches for this one site, "
            "maybe its owner's"
        ),
        "local_root.unknown_over_others_site": N_(
            "a root of nobody we know was added to this computer, and vouches for sites that are "
            "not its owner's"
        ),
        "origin.control_may_be_deceived": N_(
            "a clean place gets the same, but the issuer does more than a site's own would: maybe both ways "
            "lead through it"
        ),
        "origin.control_sees_the_same": N_("a clean place gets the same broken certificate"),
        "origin.control_sees_the_same_issuer": N_(
            "a clean place gets a certificate of the same issuer, broken the same way"
        ),
        "origin.expired": N_("the certificate of a public authority, or one above it, has run out"),
        "origin.forbidden_by_its_own_ca": N_(
            "a public authority vouches for the certificate, but not for this use of it"
        ),
        "origin.genuine_key_in_a_broken_chain": N_(
            "the key is the site's own; the certificates above it are wrong"
        ),
        "origin.maybe_missing_intermediate": N_(
            "a public authority is named as the issuer, and its certificate was not sent: a name "
            "proves nothing"
        ),
        "origin.missing_intermediate": N_(
            "the site leaves out a certificate; with it, a public authority vouches"
        ),
        "origin.not_yet_valid": N_("the certificate of a public authority begins in the future"),
        "origin.wrong_name": N_("the certificate of a public authority is for other names"),
        "origin.wrong_name_shared": N_(
            "several unrelated sites show one certificate for somebody else: a network's default, "
            "or a block page"
        ),
        "origin.wrong_name_or_portal": N_(
            "the certificate of a public authority is for other names; a portal could show it as well"
        ),
        "portal.one_leaf_at_a_given_address": N_(
            "at the address that was given, every name of every site draws one certificate, which is for none"
        ),
        "portal.one_leaf_for_all_hosts": N_(
            "sites that have nothing to do with each other all show one certificate"
        ),
        "portal.one_leaf_for_all_names_here": N_(
            "at the site's own address every name draws one certificate, which is for none of them"
        ),
        "portal.private_address_for_all_hosts": N_("the resolver sends all sites to one inner address"),
        "proof.copied_chain": N_(
            "somebody shows certificates that anybody can copy, and does not hold their key"
        ),
        "proof.genuine_chain_without_its_key": N_(
            "somebody shows the site's genuine certificates and does not hold their key"
        ),
        "run.no_network": N_(
            "nobody answered, no resolver and no site: this computer seems to be connected to nothing"
        ),
        "run.nothing_gets_through": N_(
            "nothing answers here, not even to harmless names: this network lets no secure connection through"
        ),
        "run.one_issuer_for_chosen_names": N_(
            "one unknown issuer signs for two unrelated sites, while a harmless name is left alone"
        ),
        "run.one_issuer_for_unrelated_hosts": N_(
            "one unknown issuer signs for sites that have nothing to do with each other"
        ),
        "run.one_key_for_unrelated_hosts": N_(
            "certificates of sites that have nothing to do with each other share a key, as forgeries do"
        ),
        "state_pki.foreign_host": N_("a state's own authority signed for a site outside its country"),
        "state_pki.own_country_host": N_(
            "a state's own authority signed for a site of its country; some use it, and it could be misused"
        ),
        "state_pki.own_government_host": N_(
            "a service of a state uses that state's own authority, which no browser trusts; that is expected"
        ),
        "state_pki.own_government_host_by_name": N_(
            "a service of a state seems to use that state's own authority, but only by name"
        ),
        "trusted.for_this_name": N_(
            "a public authority vouches for the certificate, and its key answered us"
        ),
        "trusted.unexpected": N_(
            "a public authority vouches for it, but no clean place knows its key and issuer, and it is odd"
        ),
        "unreachable.control_fails_too": N_("a clean place gets nothing either"),
        "unreachable.every_name_fails": N_("a harmless name fails at this address as well"),
        "unreachable.no_connect_answered": N_("no connection was answered"),
    }
)


def grounds(rule_ids: Sequence[str]) -> tuple[str, ...]:
    """What the rules saw, the deciding ones first; a rule of a newer version is told by its own words.

    Fallbacks say that nothing better is known, which is no ground where something better is.
    """
    rule_ids = [one for one in rule_ids if not one.startswith("fallback.")] or rule_ids
    return tuple(GROUNDS.get(one, one.replace("_", " ").replace(".", ": ")) for one in rule_ids[:MAX_GROUNDS])
