-- Domains that one network intercepts at one time and blocks at another. Intercepted is whose certificate was forged.
WITH caught AS (SELECT domain, asn, uid, min(time) AS time FROM interceptions GROUP BY domain, asn, uid),
intercepted AS (
  SELECT domain, asn, count(*) AS intercepted, min(time) AS first_intercepted, max(time) AS last_intercepted
  FROM caught GROUP BY domain, asn
),
blocked AS (
  SELECT host AS domain, asn, count(*) AS blocked, min(time) AS first_blocked, max(time) AS last_blocked
  FROM measurements WHERE outcome = 'blocked' GROUP BY host, asn
)
SELECT domain, asn, intercepted, blocked, first_intercepted, last_intercepted, first_blocked, last_blocked
FROM intercepted JOIN blocked USING (domain, asn) ORDER BY intercepted DESC, domain, asn
