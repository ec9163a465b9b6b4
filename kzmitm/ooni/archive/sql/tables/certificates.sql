-- The certificates that interception showed, with their dates against those of the sightings.
SELECT certificate AS sha256, any_value(sha1) AS sha1, any_value(subject) AS subject, any_value(issuer) AS issuer,
       any_value(serial) AS serial, max(authority) AS authority,
       arg_max(match, (authority, match)) AS match,
       any_value(root_sha256) AS root_sha256, any_value(root_by) AS root_by,
       any_value(published_as) AS published_as, any_value(not_before) AS not_before,
       any_value(not_after) AS not_after, min(time) AS first_seen, max(time) AS last_seen,
       count(*) AS sightings, count(*) FILTER (outside_validity) AS outside_validity,
       count(DISTINCT domain) AS domains, count(DISTINCT asn) AS networks
FROM interceptions WHERE certificate IS NOT NULL GROUP BY certificate ORDER BY not_before, certificate
