-- How many measurements mean what, by OONI's labels and our rules.
SELECT outcome, confidence, scope, label, rule, count(*) AS measurements, count(DISTINCT host) AS domains,
       count(DISTINCT asn) AS networks
FROM measurements GROUP BY ALL ORDER BY measurements DESC, rule, label, outcome, confidence, scope
