"""What the files of incidents, networks, observations and watch lists must look like."""

from kzmitm.pki import schema as s
from kzmitm.pki.entries import SHA1, SHA256

_PHASE = s.table(
    {
        "end": s.partial_date,
        "date_confidence": s.CONFIDENCE,
        "root_sha256": SHA256,
        "bug": s.text,
        "onecrl_comment": s.text,
    },
    {"start": s.partial_date, "what": s.text},
)

_DOMAINS = s.table(
    {
        "count": s.integer,
        "all": s.TEXTS,
        "method": s.text,
        "press_also_names": s.TEXTS,
        "reported_by_others": s.TEXTS,
        "groups": s.list_of(s.table({"domains": s.TEXTS, "sensitive": s.boolean}, {"operator": s.text})),
    }
)

_FORGED = s.table(
    {
        "names": s.text,
        "issuer": s.text,
        "issuing_certificate_validity_days": s.integer,
        "key": s.text,
        "public_exponent": s.integer,
        "validity": s.text,
        "validity_early_sample": s.text,
        "serial": s.text,
        "extensions": s.text,
        "chain": s.text,
        "content_changed": s.boolean,
        "trusted_by_browsers": s.boolean,
        "confidence": s.CONFIDENCE,
        "leaf_sample": s.table(
            {
                "target": s.text,
                "not_before": s.moment,
                "not_after": s.moment,
                "reported_at": s.partial_date,
                "confidence": s.CONFIDENCE,
                "notes": s.text,
            }
        ),
    }
)

_SCALE = s.table(
    {
        "addresses": s.integer,
        "names": s.integer,
        "date": s.text,
        "hosts_probed": s.integer,
        "intercepted_from_outside": s.integer,
        "intercepted_from_inside_vps": s.integer,
        "share_from_outside": s.number,
        "share_from_inside": s.number,
        "later_shares": s.list_of(s.number),
        "median_daily_hosts": s.integer,
        "hyperquack_vantage_points": s.text,
        "ripe_atlas_probes": s.text,
        "unaffected_networks": s.list_of(s.integer),
    }
)

INCIDENT = s.table(
    {
        "end": s.partial_date,
        "date_precision": s.text,
        "summary": s.text,
        "after": s.text,
        "ca_ids": s.list_of(s.identifier),
        "root_sha256": s.list_of(SHA256),
        "domains_complete": s.boolean,
        "open_questions": s.TEXTS,
        "confidence": s.CONFIDENCE,
        "sources": s.TEXTS,
        "phases": s.list_of(_PHASE),
        "domains": _DOMAINS,
        "trigger": s.table({"kind": s.text, "conditions": s.TEXTS, "direction": s.text, "notes": s.text}),
        "forged_certificate": _FORGED,
        "hops": s.table(
            {
                "last_before": s.TEXTS,
                "first_after": s.TEXTS,
                "share_of_paths": s.number,
                "example_route": s.TEXTS,
                "asn": s.integer,
            }
        ),
        "middlebox_tls_client": s.table(
            {
                "source": s.text,
                "fingerprint_id": s.text,
                "record_version": s.text,
                "client_hello_version": s.text,
                "cipher_suites": s.integer,
                "notes": s.text,
            }
        ),
        "scale": _SCALE,
        "asns": s.list_of(s.table({"name": s.text, "hosts": s.integer}, {"asn": s.integer})),
    },
    {
        "id": s.identifier,
        "kind": s.choice("announcement", "interception", "proposal", "state_root", "blocking_by_certificate"),
        "country": s.text,
        "title": s.text,
        "start": s.partial_date,
    },
)

NETWORKS = s.table(
    {
        "about": s.text,
        "derived": s.text,
        "share_source": s.text,
        "sources": s.TEXTS,
        "networks": s.list_of(
            s.table(
                {"share": s.number, "interception_seen": s.TEXTS, "note": s.text},
                {"asn": s.integer, "name": s.text, "role": s.text},
            )
        ),
    }
)

_GAP = s.table({"days": s.number, "note": s.text}, {"start": s.text, "end": s.text})

OBSERVATION = s.table(
    {
        "title": s.text,
        "root_name_correction": s.text,
        "confidence": s.CONFIDENCE,
        "sources": s.TEXTS,
        "summary": s.table(
            {
                "intermediates": s.integer,
                "distinct_known_roots": s.integer,
                "unknown_root_intermediates": s.integer,
                "networks": s.integer,
                "domains": s.integer,
                "validity_days": s.integer,
                "period": s.text,
            }
        ),
        "role_caveat": s.table({"text": s.text, "confidence": s.CONFIDENCE, "source": s.text}),
        "unknown_roots": s.table(
            {
                "count_lower_bound": s.integer,
                "intermediates": s.list_of(SHA1),
                "reasoning": s.text,
                "confidence": s.CONFIDENCE,
            }
        ),
        "validity_gaps": s.table(
            {
                "note": s.text,
                "computed": s.list_of(_GAP),
                "as_stated_by_ooni": s.list_of(_GAP),
                "interception_seen_in_gap": s.list_of(
                    s.table({"gap_start": s.text, "measurement": s.text, "note": s.text})
                ),
            }
        ),
        "intermediates": s.list_of(
            s.table(
                {
                    "ordinal": s.integer,
                    "serial_hex": s.hexadecimal,
                    "serial_decimal": s.text,
                    "issuer": s.text,
                    "not_before": s.moment,
                    "not_after": s.moment,
                    "validity_days": s.integer,
                    "signed_by": s.table(
                        {
                            "root_sha256": SHA256,
                            "root_sha1": SHA1,
                            "root_serial_hex": s.hexadecimal,
                            "crt_sh_id": s.integer,
                            "match": s.text,
                        }
                    ),
                    "example_measurement": s.text,
                    "example_measured_at": s.moment,
                    "expired_when_measured": s.boolean,
                    "days_past_expiry": s.integer,
                    "confidence": s.CONFIDENCE,
                },
                {"sha1": SHA1},
            )
        ),
    },
    {"id": s.identifier, "authority": s.identifier},
)

WATCHLIST = s.table(
    {"about": s.text},
    {
        "id": s.identifier,
        "title": s.text,
        "sensitive": s.boolean,
        "names": s.TEXTS,
        "sources": s.TEXTS,
    },
)
