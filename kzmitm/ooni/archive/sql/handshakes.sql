-- Handshakes of some parts, some documents at a time: part, document, number, time, situation (0: the probe verified
-- it), chain that is judged (-1: none), whether they are ours; then what no judgement changes of the verdicts' rows.
SELECT p.number, h.doc, h.n, epoch_us(h.time), coalesce(k.situation, 0), coalesce(k.chain, -1), m.own, m.uid, m.cc, h.asn,
       h.test, h.software, h.host, h.role, h.depth, h.ip, h.port, h.private, h.name, h.failure,
       h.verified, h.version, h.chain, h.control, h.in_control
FROM ({handshakes}) h JOIN parts p ON p.path = h.part JOIN ({measurements}) m ON m.part = h.part AND m.doc = h.doc
LEFT JOIN (SELECT * FROM keyed WHERE part BETWEEN {first} AND {last} AND doc >= {begin} AND doc < {end}) k
  ON k.part = p.number AND k.doc = h.doc AND k.n = h.n
WHERE h.doc >= {begin} AND h.doc < {end} {chosen}
ORDER BY p.number, h.doc, h.n
