-- What happens to each domain: measurements by outcome. Blocked stands beside intercepted.
SELECT host AS domain, count(*) AS measurements, count(*) FILTER (outcome = 'interception') AS intercepted,
       count(*) FILTER (outcome = 'blocked') AS blocked, count(*) FILTER (outcome = 'clean') AS clean,
       count(*) FILTER (outcome = 'inconclusive') AS inconclusive,
       count(DISTINCT asn) FILTER (outcome = 'interception') AS networks_intercepting,
       min(time) FILTER (outcome = 'interception') AS first_intercepted,
       max(time) FILTER (outcome = 'interception') AS last_intercepted
FROM measurements GROUP BY host ORDER BY intercepted DESC, blocked DESC, domain
