-- What happens to each domain: measurements by outcome. Blocked stands beside intercepted. Intercepted is the domain whose
-- certificate was forged, which need not be the one that was measured: a page may lead elsewhere. A measurement that met
-- forgeries for several domains counts at each of them; one that met none at its own domain has no outcome there.
WITH caught AS (SELECT DISTINCT uid, domain FROM interceptions),
told AS (
  SELECT domain, asn, time, 'interception' AS outcome FROM measurements JOIN caught USING (uid)
  UNION ALL
  SELECT host AS domain, asn, time, nullif(outcome, 'interception') AS outcome FROM measurements m
  ANTI JOIN caught c ON c.uid = m.uid AND c.domain = m.host
)
SELECT domain, count(*) AS measurements, count(*) FILTER (outcome = 'interception') AS intercepted,
       count(*) FILTER (outcome = 'blocked') AS blocked, count(*) FILTER (outcome = 'clean') AS clean,
       count(*) FILTER (outcome = 'inconclusive') AS inconclusive,
       count(DISTINCT asn) FILTER (outcome = 'interception') AS networks_intercepting,
       min(time) FILTER (outcome = 'interception') AS first_intercepted,
       max(time) FILTER (outcome = 'interception') AS last_intercepted
FROM told GROUP BY domain ORDER BY intercepted DESC, blocked DESC, domain
