-- Domains that one network intercepts at one time and blocks at another.
SELECT host AS domain, asn, count(*) FILTER (outcome = 'interception') AS intercepted, count(*) FILTER (outcome = 'blocked') AS blocked,
       min(time) FILTER (outcome = 'interception') AS first_intercepted,
       max(time) FILTER (outcome = 'interception') AS last_intercepted,
       min(time) FILTER (outcome = 'blocked') AS first_blocked, max(time) FILTER (outcome = 'blocked') AS last_blocked
FROM measurements GROUP BY host, asn HAVING count(*) FILTER (outcome = 'interception') > 0 AND count(*) FILTER (outcome = 'blocked') > 0
ORDER BY intercepted DESC, domain, asn
