-- Authority × certificate × network × domain × day.
SELECT authority, certificate, asn, domain, time::DATE AS day, count(*) AS sightings,
       count(DISTINCT uid) AS measurements, min(time) AS first_seen, max(time) AS last_seen,
       count(*) FILTER (outside_validity) AS outside_validity
FROM interceptions GROUP BY authority, certificate, asn, domain, time::DATE ORDER BY day, authority, asn, domain, certificate
