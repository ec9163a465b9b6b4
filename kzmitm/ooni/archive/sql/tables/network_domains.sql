-- What each network does to each domain: measurements by outcome, as in domains.sql. `by_network` are those of the interceptions
-- that a state's or a provider's authority made, and not a program on one computer or a company's own box.
WITH caught AS (
  SELECT uid, domain, bool_or(scope IN ('state', 'isp')) AS by_network FROM interceptions GROUP BY uid, domain
),
told AS (
  SELECT asn, domain, time, 'interception' AS outcome, by_network FROM measurements JOIN caught USING (uid)
  UNION ALL
  SELECT asn, host AS domain, time, nullif(outcome, 'interception') AS outcome, false AS by_network FROM measurements m
  ANTI JOIN caught c ON c.uid = m.uid AND c.domain = m.host
)
SELECT asn, domain, count(*) AS measurements, count(*) FILTER (outcome = 'interception') AS intercepted,
       count(*) FILTER (by_network) AS by_network,
       count(*) FILTER (outcome = 'blocked') AS blocked, count(*) FILTER (outcome = 'clean') AS clean,
       min(time) FILTER (outcome = 'interception') AS first_intercepted,
       max(time) FILTER (outcome = 'interception') AS last_intercepted
FROM told GROUP BY asn, domain ORDER BY asn, domain
