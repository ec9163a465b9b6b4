"""The published trace of RFC 8448, section 3: our hello, our key schedule, our reading of the flight."""

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from wire_support import observe

from kzmitm.wire.client import TLSClient
from kzmitm.wire.profiles import HelloProfile
from kzmitm.wire.proof import verify_proof
from kzmitm.wire.schedule import SUITES, HandshakeKeys

H = bytes.fromhex
CLIENT_RANDOM = H("cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7")
CLIENT_KEY = H("49af42ba7f7994852d713ef2784bcbcaa7911de26adc5642cb634540e7ea5005")
CLIENT_HELLO = H(
    "010000c00303cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece70000061301130313020100"
    "00910000000b0009000006736572766572ff01000100000a00140012001d00170018001901000101010201030104002300"
    "00003300260024001d002099381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529aaf2c002b00030203"
    "04000d0020001e040305030603020308040805080604010501060102010402050206020202002d00020101001c00024001"
)
SERVER_HELLO = H(
    "020000560303a6af06a4121860dc5e6e60249cd34c95930c8ac5cb1434dac155772ed3e2692800130100002e0033002400"
    "1d0020c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f002b00020304"
)
ENCRYPTED_EXTENSIONS = H("080000240022000a00140012001d00170018001901000101010201030104001c0002400100000000")
CERTIFICATE = H(
    "0b0001b9000001b50001b0308201ac30820115a003020102020102300d06092a864886f70d01010b0500300e310c300a06"
    "035504031303727361301e170d3136303733303031323335395a170d3236303733303031323335395a300e310c300a0603"
    "550403130372736130819f300d06092a864886f70d010101050003818d0030818902818100b4bb498f8279303d98083639"
    "9b36c6988c0c68de55e1bdb826d3901a2461eafd2de49a91d015abbc9a95137ace6c1af19eaa6af98c7ced43120998e187"
    "a80ee0ccb0524b1b018c3e0b63264d449a6d38e22a5fda430846748030530ef0461c8ca9d9efbfae8ea6d1d03e2bd193ef"
    "f0ab9a8002c47428a6d35a8d88d79f7f1e3f0203010001a31a301830090603551d1304023000300b0603551d0f04040302"
    "05a0300d06092a864886f70d01010b05000381810085aad2a0e5b9276b908c65f73a7267170618a54c5f8a7b337d2df7a5"
    "94365417f2eae8f8a58c8f8172f9319cf36b7fd6c55b80f21a03015156726096fd335e5e67f2dbf102702e608ccae6bec1"
    "fc63a42a99be5c3eb7107c3c54e9b9eb2bd5203b1c3b84e0a8b2f759409ba3eac9d91d402dcc0cc8f8961229ac9187b42b"
    "4de10000"
)
CERTIFICATE_VERIFY = H(
    "0f000084080400805a747c5d88fa9bd2e55ab085a61015b7211f824cd484145ab3ff52f1fda8477b0b7abc90db78e2d33a"
    "5c141a078653fa6bef780c5ea248eeaaa785c4f394cab6d30bbe8d4859ee511f602957b15411ac027671459e46445c9ea5"
    "8c181e818e95b8c3fb0bf3278409d3be152a3da5043e063dda65cdf5aea20d53dfacd42f74f3"
)
FINISHED = H("140000209b9b141d906337fbd2cbdce71df4deda4ab42c309572cb7fffee5454b78f0718")
SHARED_SECRET = H("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d")
SERVER_KEY = H("3fce516009c21727d0f2e4e86ee403bc")
SERVER_IV = H("5d313eb2671276ee13000b30")
RECORD_BEGINS = H("17030302a2d1ff334a56f5bff6594a07cc87b580233f500f45e489e7f33af35edf")

PROFILE = HelloProfile(
    name="rfc8448",
    cipher_suites=(0x1301, 0x1303, 0x1302),
    extensions=(0, 0xFF01, 10, 35, 51, 43, 13, 45, 28),
    groups=(29, 23, 24, 25, 256, 257, 258, 259, 260),
    key_shares=(29,),
    signature_schemes=(
        0x0403, 0x0503, 0x0603, 0x0203, 0x0804, 0x0805, 0x0806, 0x0401,
        0x0501, 0x0601, 0x0201, 0x0402, 0x0502, 0x0602, 0x0202,
    ),
    versions=(0x0304,),
    session_id_size=0,
)  # fmt: skip


def _client() -> TLSClient:
    drawn = iter((CLIENT_RANDOM, CLIENT_KEY, b""))
    return TLSClient(sni="server", profile=PROFILE, alpn=(), rng=lambda _size: next(drawn))


def _flight() -> bytes:
    content = ENCRYPTED_EXTENSIONS + CERTIFICATE + CERTIFICATE_VERIFY + FINISHED + b"\x16"
    header = b"\x17\x03\x03" + (len(content) + 16).to_bytes(2, "big")
    return header + AESGCM(SERVER_KEY).encrypt(SERVER_IV, content, header)


def test_the_profile_gives_the_published_hello():
    assert b"".join(_client().start()) == b"\x16\x03\x01\x00\xc4" + CLIENT_HELLO


def test_the_schedule_gives_the_published_keys():
    suite = SUITES[0x1301]
    keys = HandshakeKeys(suite, SHARED_SECRET, suite.hash(CLIENT_HELLO + SERVER_HELLO).digest())
    assert suite.derived.hex() == "6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba"
    assert keys._secret.hex() == "1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac"
    assert (
        keys._traffic_secret(suite.server_info).hex()
        == "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38"
    )
    assert (
        keys._traffic_secret(suite.client_info).hex()
        == "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21"
    )
    assert keys.server._iv.to_bytes(12, "big") == SERVER_IV


def test_the_published_flight_is_read_and_its_signature_verifies():
    flight = _flight()
    assert flight.startswith(RECORD_BEGINS)
    assert len(flight) == 679
    driver = _client()
    parting = driver.receive(b"\x16\x03\x03\x00\x5a" + SERVER_HELLO + flight, 0.0)
    seen = observe(driver)
    assert seen.failure is None
    assert (seen.version, seen.cipher_suite) == ("TLSv1.3", "TLS_AES_128_GCM_SHA256")
    assert seen.presented_chain == (CERTIFICATE[11:-2],)
    assert seen.server_extensions == (51, 43, 10, 28, 0)
    assert seen.proof is not None
    assert seen.proof.verified is True
    assert seen.proof.transcript == CLIENT_HELLO + SERVER_HELLO + ENCRYPTED_EXTENSIONS + CERTIFICATE
    assert verify_proof(seen.proof, seen.presented_chain[0]) is True
    # No session id, so no ChangeCipherSpec: two protected alerts.
    assert [parting[:5], parting[24:29]] == [b"\x17\x03\x03\x00\x13"] * 2
