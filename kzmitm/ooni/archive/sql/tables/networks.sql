-- What each network does, and its share of the country's users: who could be exposed, never who was.
-- Intercepted are the domains whose certificates were forged, as in domains.sql.
WITH caught AS (SELECT asn, count(DISTINCT domain) AS domains FROM interceptions GROUP BY asn)
SELECT m.asn, coalesce(any_value(n.operator), min(nullif(m.network, ''))) AS operator, any_value(n.share) AS share,
       count(*) AS measurements, count(*) FILTER (outcome = 'interception') AS intercepted,
       count(*) FILTER (outcome = 'blocked') AS blocked, count(*) FILTER (outcome = 'clean') AS clean,
       coalesce(any_value(c.domains), 0) AS domains_intercepted,
       min(time) FILTER (outcome = 'interception') AS first_intercepted,
       max(time) FILTER (outcome = 'interception') AS last_intercepted
FROM measurements m LEFT JOIN known_networks n USING (asn) LEFT JOIN caught c ON c.asn = m.asn
GROUP BY m.asn ORDER BY intercepted DESC, measurements DESC, m.asn
