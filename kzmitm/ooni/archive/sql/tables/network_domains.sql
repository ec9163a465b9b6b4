-- What each network does to each domain: measurements by outcome. `by_network` are those of the interceptions that a state's or
-- a provider's authority made, and not a program on one computer or a company's own box.
SELECT asn, host AS domain, count(*) AS measurements, count(*) FILTER (outcome = 'interception') AS intercepted,
       count(*) FILTER (outcome = 'interception' AND scope IN ('state', 'isp')) AS by_network,
       count(*) FILTER (outcome = 'blocked') AS blocked, count(*) FILTER (outcome = 'clean') AS clean,
       min(time) FILTER (outcome = 'interception') AS first_intercepted,
       max(time) FILTER (outcome = 'interception') AS last_intercepted
FROM measurements GROUP BY asn, host ORDER BY asn, domain
