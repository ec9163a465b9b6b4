-- One row per handshake: what was measured, and what it means. Ours have the verdict of the scan's rules;
-- of a line of ours that cannot be read any more, nothing is said.
CREATE VIEW own_rows AS
SELECT * FROM own_verdicts
UNION ALL BY NAME
SELECT m.part, m.doc, -1 AS n, 'inconclusive' AS outcome, '' AS confidence, '' AS scope, '' AS authority,
       '' AS match, 'archive.own_line_is_damaged' AS rule, '' AS label, '' AS asks
FROM measurements m ANTI JOIN own_verdicts o ON o.part = m.part AND o.doc = m.doc WHERE m.own;

CREATE VIEW handshake_verdicts AS
SELECT m.uid, k.n, k.time, m.cc, k.asn, k.test, k.software, k.host, k.role, k.depth, k.ip, k.port, k.private,
       k.name, coalesce(nullif(k.name, ''), k.host) AS domain,
              k.failure, k.verified, k.version, k.chain, c.certificate, k.control, k.in_control,
       coalesce(v.outcome, o.outcome, '') AS outcome, coalesce(v.confidence, o.confidence, '') AS confidence,
       coalesce(v.scope, o.scope, '') AS scope, coalesce(v.authority, o.authority, '') AS authority,
       coalesce(v.match, o.match, '') AS match, coalesce(v.rule, o.rule, '') AS rule,
       coalesce(v.label, o.label, '') AS label, coalesce(v.asks, o.asks, '') AS asks,
       coalesce(coalesce(v.outcome, o.outcome) = 'interception'
                AND (k.time < f.not_before OR k.time > f.not_after), false) AS outside_validity
FROM keyed k
JOIN measurements m ON m.part = k.part AND m.doc = k.doc
LEFT JOIN verdicts v ON v.situation = k.situation AND NOT m.own
LEFT JOIN own_rows o ON m.own AND o.part = k.part AND o.doc = k.doc AND o.n = k.n
LEFT JOIN chain_facts c ON c.chain = k.chain
LEFT JOIN certificate_facts f ON f.sha256 = c.certificate;
