-- Who intercepted: each authority and way of recognising it, where and when.
SELECT authority, any_value(authority_name) AS authority_name, any_value(kind) AS kind, match,
       count(*) AS sightings, count(DISTINCT uid) AS measurements, count(DISTINCT certificate) AS certificates,
       count(DISTINCT root_sha256) FILTER (root_sha256 <> '') AS known_roots,
       count(DISTINCT certificate) FILTER (root_sha256 = '') AS certificates_of_unknown_root,
       count(DISTINCT domain) AS domains, count(DISTINCT asn) AS networks,
       min(time) AS first_seen, max(time) AS last_seen, count(*) FILTER (outside_validity) AS outside_validity
FROM interceptions GROUP BY authority, match ORDER BY sightings DESC, authority, match
