"""Public CAs under their real names; the roots in STORE are what probes and the analysis trust."""

from expert_pki import root

ISRG = root("C=US, O=Internet Security Research Group, CN=ISRG Root X1", public=True)
LE = ISRG.sub("C=US, O=Let's Encrypt, CN=R3")
USERTRUST = root(
    "C=US, ST=New Jersey, L=Jersey City, O=The USERTRUST Network, CN=USERTrust RSA Certification Authority",
    "2010-02-01", 10214, public=True,
)  # fmt: skip
SECTIGO = USERTRUST.sub("C=GB, O=Sectigo Limited, CN=Sectigo RSA Domain Validation Secure Server CA")
CPANEL = USERTRUST.sub("C=US, ST=TX, L=Houston, O=cPanel, Inc., CN=cPanel, Inc. Certification Authority")
DIGICERT = root("C=US, O=DigiCert Inc, OU=www.digicert.com, CN=DigiCert Global Root G2", public=True)
DIGICERT_SUB = DIGICERT.sub("C=US, O=DigiCert Inc, CN=DigiCert TLS RSA SHA256 2020 CA1")
GOOGLE = root("C=US, O=Google Trust Services LLC, CN=GTS Root R1", public=True)
GOOGLE_SUB = GOOGLE.sub("C=US, O=Google Trust Services, CN=WR2")
R46 = root("C=GB, O=Sectigo Limited, CN=Sectigo Public Server Authentication Root R46", public=True)
R36 = R46.sub("C=GB, O=Sectigo Limited, CN=Sectigo Public Server Authentication CA DV R36")
STORE = (ISRG, USERTRUST, DIGICERT, GOOGLE, R46)

ADDTRUST = root("C=SE, O=AddTrust AB, OU=AddTrust External TTP Network, CN=AddTrust External CA Root")
DST = root("O=Digital Signature Trust Co., CN=DST Root CA X3", "2000-09-30", 7670)
USERTRUST_BY_ADDTRUST = USERTRUST.again(ADDTRUST, "2000-05-30 10:48:38", 7305)
ISRG_BY_DST = ISRG.again(DST, "2021-01-20 19:14:03", 1348)
"""What old probes keep of chains that ended in a root which is gone."""

NATIONAL = root("C=KZ, O=State Technical Service, CN=National Security Certificate 2026", "2026-01-01")
"""Of an interceptor whom nobody knows."""


def genuine(host, born="2023-09-01"):
    """A chain as most sites have one, leaf first."""
    return [LE.site(host, born), LE.certificate]
