-- One row per measurement: the worst that one of its handshakes means; if it had none that tells, what kept it.
-- No clean handshake hides a bad one, and the counts keep a bad one from hiding a clean one.
CREATE VIEW measurement_verdicts AS
WITH ranked AS (
  SELECT uid, outcome, confidence, scope, authority, match, rule, label, asks, outside_validity,
         CASE outcome WHEN 'interception' THEN 80 WHEN 'captive_portal' THEN 70 WHEN 'dns_hijack' THEN 60
                      WHEN 'blocked' THEN 50 WHEN 'origin_misconfigured' THEN 40 WHEN 'inconclusive' THEN 30
                      WHEN 'unreachable' THEN 20 WHEN 'clean' THEN 10 ELSE 0 END
         + CASE confidence WHEN 'confirmed' THEN 3 WHEN 'likely' THEN 2 WHEN 'suspected' THEN 1 ELSE 0 END
         AS rank
  FROM handshake_verdicts WHERE outcome <> ''
), worst AS (
  SELECT uid,
         arg_max(struct_pack(outcome := outcome, confidence := confidence, scope := scope,
                             authority := authority, match := match, rule := rule, label := label,
                             asks := asks), (rank, authority, rule, asks)) AS v,
         count(*) FILTER (outcome = 'clean') AS clean, count(*) FILTER (outcome = 'interception') AS intercepted,
         count(*) FILTER (outcome = 'blocked') AS blocked, bool_or(outside_validity) AS outside_validity
  FROM ranked GROUP BY uid
), before AS (
  SELECT part, doc, CASE
      WHEN dns_failure <> '' AND control_dns = 'ok' THEN 'archive.lookup_fails_here_only'
      WHEN dns_failure <> '' AND control_dns <> '' THEN 'archive.lookup_fails_everywhere'
      WHEN dns_failure <> '' THEN 'archive.lookup_fails'
      WHEN tcp_failure <> '' AND control_tcp = 'ok' THEN 'archive.connect_fails_here_only'
      WHEN tcp_failure <> '' AND control_tcp <> '' THEN 'archive.connect_fails_everywhere'
      WHEN tcp_failure <> '' THEN 'archive.connect_fails'
      WHEN handshakes = 0 AND private AND NOT in_control THEN 'archive.lookup_gives_a_private_address'
      WHEN handshakes = 0 AND NOT in_control THEN 'archive.lookup_differs'
      ELSE 'archive.nothing_measured' END AS rule
  FROM measurements
)
SELECT m.uid, m.source, m.line, m.time, m.cc, m.asn, m.network, m.test, m.test_version, m.software, m.input,
       m.host, m.handshakes, m.dns_failure, m.tcp_failure, m.control,
       coalesce(w.v.outcome, o.outcome, CASE WHEN b.rule LIKE '%_here_only' THEN 'blocked'
                                  WHEN b.rule LIKE '%_everywhere' THEN 'unreachable'
                                  WHEN b.rule LIKE 'archive.lookup_%' AND b.rule <> 'archive.lookup_fails'
                                    THEN 'dns_hijack'
                                  ELSE 'inconclusive' END) AS outcome,
       coalesce(w.v.confidence, o.confidence, CASE WHEN b.rule LIKE '%_here_only' THEN 'likely'
                                                          WHEN b.rule = 'archive.lookup_gives_a_private_address' THEN 'likely'
                                                          WHEN b.rule = 'archive.lookup_differs' THEN 'suspected'
                                                          ELSE '' END) AS confidence,
       coalesce(w.v.scope, o.scope, '') AS scope, coalesce(w.v.authority, o.authority, '') AS authority,
       coalesce(w.v.match, o.match, '') AS match, coalesce(w.v.rule, o.rule, b.rule) AS rule,
       coalesce(w.v.label, o.label, CASE b.rule
         WHEN 'archive.lookup_fails_here_only' THEN CASE m.dns_failure
           WHEN 'dns_nxdomain_error' THEN 'dns.nxdomain' WHEN 'dns_refused_error' THEN 'dns.refused' ELSE 'dns' END
         WHEN 'archive.connect_fails_here_only' THEN CASE m.tcp_failure
           WHEN 'connection_refused' THEN 'tcp.refused' WHEN 'connection_reset' THEN 'tcp.reset'
           WHEN 'generic_timeout_error' THEN 'tcp.timeout' WHEN 'host_unreachable' THEN 'ip.unreachable'
           WHEN 'network_unreachable' THEN 'ip.unreachable' ELSE 'tcp' END
         WHEN 'archive.lookup_gives_a_private_address' THEN 'dns.injection.bogon'
         WHEN 'archive.lookup_differs' THEN 'dns.injection'
         ELSE '' END) AS label,
       coalesce(w.v.asks, o.asks, CASE WHEN b.rule IN ('archive.lookup_fails', 'archive.connect_fails') THEN 'control'
                               WHEN b.rule = 'archive.lookup_differs' THEN 'encrypted_dns' ELSE '' END) AS asks,
       coalesce(w.clean, 0)::USMALLINT AS clean, coalesce(w.intercepted, 0)::USMALLINT AS intercepted,
       coalesce(w.blocked, 0)::USMALLINT AS blocked, coalesce(w.outside_validity, false) AS outside_validity
FROM measurements m JOIN before b USING (part, doc) LEFT JOIN worst w USING (uid)
LEFT JOIN own_rows o ON o.part = m.part AND o.doc = m.doc AND o.n < 0;
