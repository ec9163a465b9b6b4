-- Handshakes of one part, some documents at a time: number, time, situation (0: the probe verified it), chain that
-- is judged (-1: none), whether they are ours; then the columns of the verdicts' rows that no judgement changes.
SELECT h.doc, h.n, epoch_us(h.time), coalesce(k.situation, 0), coalesce(k.chain, -1), m.own, m.uid, m.cc, h.asn, h.test,
       h.software, h.host, h.role, h.depth, h.ip, h.port, h.private, h.name,
       CASE WHEN h.name <> '' THEN h.name ELSE h.host END, h.failure, h.verified, h.version, h.chain, h.control, h.in_control
FROM ({handshakes}) h JOIN ({measurements}) m USING (doc)
LEFT JOIN (SELECT * FROM keyed WHERE part = {part} AND doc >= {begin} AND doc < {end}) k ON k.doc = h.doc AND k.n = h.n
WHERE h.doc >= {begin} AND h.doc < {end} AND m.doc >= {begin} AND m.doc < {end} {chosen}
ORDER BY h.doc, h.n
