-- What verdicts depend on, each once. Handshakes that the probe verified are settled, unless a certificate of
-- the registry is in their chain, all others are in one of the situations.
CREATE TABLE known_chains AS
SELECT DISTINCT chain FROM chains WHERE list_has_any(certificates, (SELECT list(sha256) FROM known));

CREATE VIEW settled AS
SELECT * FROM handshakes WHERE failure = '' AND verified AND role = '' AND chain NOT IN (SELECT chain FROM known_chains);

CREATE TABLE unsettled AS
SELECT p.number AS part, doc, n, time, asn, software, name AS sent, host AS asked, failure, verified, chain, control,
       coalesce(in_control::TINYINT, -1) AS in_control, private, role,
       CASE WHEN chain = '' THEN '' ELSE name END AS name, CASE WHEN chain = '' THEN '' ELSE host END AS host,
       CASE WHEN chain = '' THEN DATE '1970-01-01' ELSE coalesce(time::DATE, DATE '1970-01-01') END AS day
FROM handshakes h JOIN parts p ON p.path = h.part
WHERE NOT (failure = '' AND verified AND role = '' AND chain NOT IN (SELECT chain FROM known_chains));

CREATE TABLE situations AS
SELECT (row_number() OVER (ORDER BY chain, failure, verified, control, in_control, private, role, name, host, day))::INTEGER
       AS situation, failure, verified, chain, control, in_control, private, role, name, host, day, min(time) AS time
FROM unsettled GROUP BY failure, verified, chain, control, in_control, private, role, name, host, day;

-- Chains that the probe verified, and where: what is in them vouches for others.
CREATE TABLE verified_chains AS
SELECT chain, min(name) AS first_name, max(name) AS last_name, min(asn) AS first_asn, max(asn) AS last_asn
FROM settled WHERE chain <> '' AND test <> 'echcheck' GROUP BY chain;

-- Certificates of the chains to be judged, and these chains by number, those of which nothing was kept left out.
CREATE TABLE links AS
WITH judged AS (
  SELECT chain, any_value(certificates) AS certificates FROM chains
  WHERE chain IN (SELECT chain FROM situations WHERE chain <> '') GROUP BY chain
)
SELECT chain, unnest(certificates) AS sha256, generate_subscripts(certificates, 1) AS place FROM judged;

CREATE TABLE ders AS
SELECT sha256, any_value(der) AS der FROM certificates WHERE sha256 IN (SELECT sha256 FROM links) GROUP BY sha256;

CREATE TABLE kept_chains AS
SELECT (row_number() OVER (ORDER BY chain) - 1)::INTEGER AS number, chain
FROM (SELECT DISTINCT chain FROM links JOIN ders USING (sha256));

-- The situation and the chain of every handshake that has either.
CREATE TABLE keyed AS
SELECT u.part, u.doc, u.n, s.situation, coalesce(k.number, -1) AS chain FROM unsettled u
JOIN situations s USING (failure, verified, chain, control, in_control, private, role, name, host, day)
LEFT JOIN kept_chains k USING (chain)
UNION ALL
SELECT p.number, s.doc, s.n, 0, k.number FROM settled s
JOIN kept_chains k USING (chain) JOIN parts p ON p.path = s.part;
