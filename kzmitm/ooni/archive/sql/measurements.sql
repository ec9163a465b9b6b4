-- Measurements of some parts, some documents at a time: part, document, whether they are ours, why nothing was
-- measured if no handshake tells, and by what failure; then the columns of the verdicts' rows that no judgement changes.
SELECT p.number, m.doc, m.own, CASE
         WHEN dns_failure <> '' AND control_dns = 'ok' THEN 'archive.lookup_fails_here_only'
         WHEN dns_failure <> '' AND control_dns <> '' THEN 'archive.lookup_fails_everywhere'
         WHEN dns_failure <> '' THEN 'archive.lookup_fails'
         WHEN handshakes = 0 AND private AND NOT in_control THEN 'archive.lookup_gives_a_private_address'
         WHEN tcp_failure <> '' AND control_tcp = 'ok' THEN 'archive.connect_fails_here_only'
         WHEN tcp_failure <> '' AND control_tcp <> '' THEN 'archive.connect_fails_everywhere'
         WHEN tcp_failure <> '' THEN 'archive.connect_fails'
         WHEN handshakes = 0 AND NOT in_control THEN 'archive.lookup_differs'
         ELSE 'archive.nothing_measured' END,
       CASE WHEN dns_failure <> '' THEN dns_failure ELSE tcp_failure END, m.uid, m.source, m.line, epoch_us(m.time), m.cc,
       m.asn, m.network, m.test, m.test_version, m.software, m.input, m.host, m.handshakes, m.dns_failure, m.tcp_failure,
       m.control
FROM ({measurements}) m JOIN parts p ON p.path = m.part
WHERE m.doc >= {begin} AND m.doc < {end} {chosen}
ORDER BY p.number, m.doc
