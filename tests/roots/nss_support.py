"""Databases of NSS made by its own certutil, and its answers, for tests of our reader."""

import base64
import datetime as dt
import shutil
import sqlite3
import subprocess
import zlib
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from kzmitm.roots.nss import Level, NSSCertificate
from kzmitm.roots.system import System
from kzmitm.roots.values import Platform, Purpose

CERTUTIL = shutil.which("certutil")
needs_certutil = pytest.mark.skipif(CERTUTIL is None, reason="certutil (libnss3-tools) is not installed")

SHARED = Path(__file__).parents[3] / "shared" / "certs"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="no shared certificates beside the checkout")
QAZNET = "00309c736dd661da6f1eb24173aa849944c168a43a15bffd192eecfdb6f8dbd2"
HOME = "/home/aigerim"


def shared_der(sha256: str) -> bytes:
    certificate = x509.load_pem_x509_certificate((SHARED / f"{sha256}.pem").read_bytes())
    return certificate.public_bytes(Encoding.DER)


@cache
def key():
    return ec.generate_private_key(ec.SECP256R1())


@cache
def certificate(name: str, *, issuer: str = "", ca: bool | None = True) -> bytes:
    """A certificate of one key, as DER; `ca` None leaves the basic constraints out."""
    subject, signer = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, issuer or name)
    )
    builder = (
        x509.CertificateBuilder(signer, subject, key().public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2099, 1, 1, tzinfo=dt.UTC))
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if not ca:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName("a.example")]), critical=False
        )
    return builder.sign(key(), hashes.SHA256()).public_bytes(Encoding.DER)


class Database:
    """A database in a folder, written by certutil."""

    def __init__(self, folder: Path, *, password: str = "", certutil: str | None = CERTUTIL) -> None:
        self.folder, self.path = folder, folder / "cert9.db"
        self.certutil = certutil or "certutil"
        folder.mkdir(parents=True, exist_ok=True)
        self.password = folder / "password"
        self.password.write_text(f"{password}\n")
        self.run("-N", *(() if password else ("--empty-password",)))

    def run(self, *arguments: str, data: bytes | None = None, check: bool = True) -> bytes:
        command = [self.certutil, *arguments, "-d", f"sql:{self.folder}", "-f", str(self.password)]
        return subprocess.run(command, input=data, capture_output=True, check=check).stdout

    def add(self, der: bytes, nickname: str, flags: str) -> None:
        self.run("-A", "-n", nickname, "-t", flags, data=der)

    def add_all(self, entries: list[tuple[bytes, str, str]]) -> None:
        """Many by one process."""
        batch = self.folder / "batch"
        lines = []
        for number, (der, nickname, flags) in enumerate(entries):
            (self.folder / f"{number}.der").write_bytes(der)
            lines.append(
                f'-A -n "{nickname}" -t "{flags}" -f {self.password} -i {self.folder / f"{number}.der"}\n'
            )
        batch.write_text("".join(lines))
        self.run("-B", "-i", str(batch))

    def flags(self) -> dict[str, str]:
        """What certutil says of each certificate: `CT,C,C`; without `u`, which the other database knows."""
        lines = self.run("-L").decode().splitlines()[4:]
        pairs = (line.rsplit(None, 1) for line in lines if line.strip())
        return {name: flags.replace("u", "") for name, flags in pairs}

    def der(self, nickname: str) -> bytes:
        return self.run("-L", "-n", nickname, "-r")


def flags_of(found: NSSCertificate) -> str:
    """Our reading in the letters of certutil (CERT_EncodeTrustString and pki3hack.c of NSS)."""

    def letters(*pairs: tuple[Level | None, str]) -> str:
        levels = [level for level, _ in pairs]
        anchors = "".join(letter for level, letter in pairs if level is Level.ANCHOR)
        return "".join(
            (
                "c" if Level.VALID_CA in levels and not anchors else "",
                "p" if Level.DISTRUSTED in levels and Level.PEER not in levels else "",
                anchors,
                "P" if Level.PEER in levels else "",
            )
        )

    said = found.levels.get
    ssl = letters((said(Purpose.SERVER), "C"), (said(Purpose.CLIENT), "T"))
    return f"{ssl},{letters((said(Purpose.EMAIL), 'C'))},{letters((said(Purpose.CODE), 'C'))}"


PAIRS = {"ace536358": "a62c", "ace536359": "a62d", "ace53635a": "a62e", "ace53635b": "a62f"}
VALUES = {0xCE534351: 1, 0xCE534352: 2, 0xCE53435A: 3, 0xCE53435B: 4, 0xCE534353: 4}


def rewrite_as_new(path: Path, *, keep_old: bool = False) -> None:
    """Turn trust objects into those of NSS 3.114, or add such ones that say the contrary."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for column in (*PAIRS.values(), "a635", "a90000001"):
            connection.execute(f"ALTER TABLE nssPublic ADD COLUMN {column}")
        old = bytes.fromhex("ce534353")
        found = connection.execute(
            f"SELECT id, a81, a82, {', '.join(PAIRS)} FROM nssPublic WHERE a0 = ?",  # noqa: S608
            (old,),
        )
        for number, issuer, serial, *values in found.fetchall():
            said = [VALUES[int.from_bytes(value, "big")].to_bytes(4, "big") for value in values]
            if keep_old:
                said = [{b"\0\0\0\2": b"\0\0\0\3", b"\0\0\0\3": b"\0\0\0\2"}.get(each, each) for each in said]
            else:
                connection.execute("DELETE FROM nssPublic WHERE id = ?", (number,))
            connection.execute(
                f"INSERT INTO nssPublic (id, a0, a3, a81, a82, {', '.join(PAIRS.values())})"  # noqa: S608
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (number + 500_000_000, bytes.fromhex("0000000b"), b"\xa5\0\x5a", issuer, serial, *said),
            )


def linux(root: Path, platform: Platform = Platform.LINUX) -> System:
    """Another system below a folder."""
    return System(root, platform=platform)


MIXED = """
c-rk;2S60p)}Gm2$^tu=vNQ!*qDC-Cc9&%+8XHAXDT0bX6xd}^L}`KrD~Rp4OYFV(pf5&ai;9{k5M%67P_dz?@i&Ty&+^aQSs0KR{^)y84DW
tAXV0E<@7a6roNs3Cy}N|<?v;?PmBlBg4U0{exnZUlj$@r=G7Q5UsKXdz5kwuLTJLe}|AzzSx}Zp6{1nsI8;I!*1SgDl8V@mUYjh7oKtMof(
wJd@8(2Fy;0p$%$Et^FlZFou$xshX(9|dbpHROpef(s7x^(U3C#x~boD$+>A)x_*T|y&dJ^dnNeS-pe_w|zn2g!VbgZz61`1Fx==^7l`$3+$
^rw#>mD5=AZ)}ev6C}@)>{nnFy>j~e|MLbosaHj=H3lCa&(!z@tv9wTA!V89yGZIFWE1_gQM+K!jlq8fMP<le?1!XLhYA7|ZVNCOw_Ca0A=r
FPpMpnYeN*GxQBP(HKC5)_uk=<ZjH(1vV)^&q*-
C$i3dP(Rdp_hbSlJUaGB#i6<OL{UAjw9@^QqJgfT_tR@o1BpfC~3P2T2#=Y(plV~R6*$uCH*NX7+(eBtKfNXhjrayU3WQSVd_#)Dio~BoJ0u
Ps?oZ;sodOasY+ILV^tNay0a?DsvfNBS)-C{HIl7Hveiho8d<BFSB>hyw!x!17|FJmWZO%!?Iqdvl5BfPw!I|VUXpDurFyYyEUT(nRl}-
rtg2<z_!<=^4Wp{r=BVlB#JR`H<J8Rgrq2gVWe=EM9!mCH(fv`vtX9ITR>G`SDjB;9N_QwpC_SLmLKzQbER<>}HBi#6R=UHOa1@nr07;k(q@
2;+pj1KW4kZbt2b7*rdO;Zrr5Z{NlyOjMp`_bD!fYpD3X(AUNCk|efN>NsjsnI}z&HvRM*-
s~U>pUE1IK}c<3Pf3AmKQWa2!ZD4kR205{?52c}+r&lW-hJI1VHn2NI403CD_rV@1L%012-
EB)kHU@Crb}D*$z3p@i|>Je)i0>swnp;1LN)aoSOu#Mp$mnv1Q0?iw5r<m=a827UB}w${a%zV119)PoWF!U#iS)!LyoCG_h=fWCJlxH<cZ^s
Spa-~(X&;Th^7T1|RQ3B5WIbl&={P&juH>Ra1Z_akBW@C<EQO%YL@AdK_f7@i7e@IrVN-
I@^)nhF#GeQQ4l9AhpmsY9t5eROO_dNO<;T|@t9MU5(?Y8ld1^{7J#p3tf>_$PSIs0auM2nYxW2nYxW2nYxWe|H$!Q9^7%F98@CQPQ4xg@G5
~F}Mp#z<E#z^1(i^6Kn!2!2&Q7Oahr86$}Q^pdSbXzMwr&0%srt)_?$dR8<571Ox;G1Ox;G1Ox<xPa1|o5pFuDTyD=OdC%;i5`S0S94hKGO*
5UMwuMUU{4q8<CDWQwT31-<lxLPuiP@Yh)hY8Wpb}m3+FYl+GGmlcCrx$A&j2a|iX91^B9kym&@~gCQeq61uTx8mbV{+9Q96bh>Xc9es6-
VX)7L5adW^DYp-
87J5Hd=nLSP^ii77=6=l_z<7_pehl5CXBAvzGPi6KN7C<o_23<v<T!ANirY#@Fn^1zqCQW7P(BsoMFOP)wFh?m55swx5k0s;a80s;a80>Xa<
nh8B|xl~~;H`N#R6$wqmDeck+Ym?gf^s%=UlDOPLVI~KR%g~2$rP$T;Bxy&sOG-
}CHn$SWak;62kee_bJ=zn}jN5F>8Ap>Gr?uhrSaW)Y#U>23;`LZ^etaJ(x7mWzoMO&xHsdt=m~xwewNQ!6%@jZ`Va)o8+LZKmAq0<I!hd>9_
+7@lXU>S%Bd*ur<e_ox`WSMX4LHpjeQvWJr#VH$Z5DExeFT<5xwyWW+5gvI;0`zic7S;x4TJ)BU`xCvN{M`89Wj*{OlUw0VkU7H2tYYl2>t<
118*>r*i8IP3<Kfl8i0U+fPjF2fPjF2fPerY5@NVLEgD$&pxu0{9JH^21r6HWz}f}v=3A+teSGT@w2yBUg7)z)Ind6A78huL1M3L1n{U;C_V
KL|&_2Eu0ovE#{Qn^awu4C^6_|lQ&=PnOuRt`Y1V_O+aEF@lKL#bB5bOi%!E7)FB!F<>2jrkR5EIX+st5=O2nYxW2nYxW2nYzD6byvs_y#P}
UiWHeBDBM6Rv>i7W@4cg&a6A=EH>4};A(@;XjN^5YYaN0w7PB|3!TNh+LB_XvzS&}e1OhE7zu4~-
P(c9WFir^z}Xc8oz;l`%$juqozakv$E*(MEc(?Jjh@aTs<xyEbryl4&`Mlu{@))1x4;Ro2}}oxAP{^B%!sGN1!6C;gcw5%Ao_!Qpa5*AX8$Q
56sUj|@q)NQ93)l}6A3lSD+B}t1Ox;G1Ox;Gg#Tu+oBlRJ6+UY7-
G3HL2{v70nA^?SV$S%qYt3#ld;WZ0X4jw3%WV4dd6_+bJ}<ND&*x?K{rSAi&Oe`*+4|@6G8_MVUS{8)&&%xm^Ld%Qe?Bj>`)@5&i8<R$ohu{
k4@^=f!Hmj`FoSyrxagh;$1hXHCWov+Mx#Yif-tAwke=^Zn|SZflTv^+RW2C)=NnFk`Gn!v1}u{EyB`9nYiv=M;BIq_()SHLyhbv_);Mp&ES
#zoN*z&jWm?DXEyzu^z2RI~R5-
<2y{gc21^(^kO*s*x^4+?}j<_;q(%}OWCgyxD&ZK*4hfO9hX`QZ;s{ce+YlHp+71RrkW7S=gXX9VVvu>>x3UC2;H|0k9hHa;GKmC<RDBv6&x
y)Lkl*<*=KZr;hpp<)g)iQ8bi;!FB8^Fi{T=x+|+(6hB6Fpe;zZW;(db)ak;1$1Jdd?MtH9_Ef$FzOIv1{AhyqQ^MSCRI*lLxVMS<dY3$`QY
>vYKbI2y>a9QeYFGK6Y!D(sdSc=JV_=aQv-EPcEchYWG7JfXV#@j@UAZ%NzUI7i|No0*bE3nwD%y&A&fw(ztK$zqy!Ec`_!9Dw4g<Y@yTGjb
kp89b2tGzUtoiJBiw!fi0f|C=&ek43_58!}=ac!&#Jz|9DoMAxjDQ$EHNbFqRVazV9TE+H^k}awEd<X`y0BC$B|IDm{7yeSzz^5US%t8207Y
^2E2~Jeyg$qs_ZLtPGLv8vkl)#J~lMesAl)Ze>`upQ(>$j+FuAgB3QJYD1lV%0B`hI)*ZQfc>J#K+3a9bY$S_V;wTo8<)Spg!*+FlLp-
}xgV9|$6ZoNs<xDT`Rx@iRRv-EY|-
M!1AYrstu*>&PS=C?g}(}9nSq0bnHj#&>+r}s?aj$<My(?=iL>hYJ^P;fd{Mb*?lpM2{$ifgFUOPr`i+<WQN_pj^Is#7l4q}Yz8Y}s`Q-
!mR*HLF41E~*)vW6LkE+T4h+l09%T|vkUO(w?Jasev(`+;1)}t+{yMo&%E6-
=dO$c@r{+wf}r_2AG@gG0`ql)v{{MS(V@6P5wS05Y9f6WKvzot?1zZ)j^6*#z@|6}uSH~o)@g3Q{V$)DZg)tIbS0e?;q+a(Unby5wc2(nO&g
<lN|nuIwfnQM3S*R$D>m%sP$z_mpsuHrFUg_fM@&yyzg%kiYYs1ehD(L(<8r|xVWE|kP{-
4cA!sdMhmt5e7+7c~2)(di$lJDBvZl62d>Tv}+jwdIhAGpW8q#ySPXO`q5s-)?!P-
|aWY_PSnMWu9XtY{bid)S?A!`lr;r{B!lO!Sql0fb>uK6fXZWT*qxZzi0H+5y{b4=jIn2xV_JHosVZpk!keU3A1P3wi3u}mqq00g<rlWyE}6
E0B?tXZi|04FX!d%s{Kdyi!9S(qdD`RCr|2^<H>(PBj$gkf<OO#1X7dh?JvFhUFPE(78>o*ZbQ~t%@1YoP6xuUy_I8Bxf>HZ&v5M2FLiRpiR
XJ_e=D!LICD?zmKWkV7tZ*fUfd?f3UAE(kCe0d?^8Gbx%${({`-7D{`)k3{>!55k9j}4TXgCkwqR@JjAP#fbWh)U_>Y;}dQN*5kx=E-
l48hWY2N6gMJX5LTh{e;b8VxHXg=TFTwi-onB<h(`zu)s&iv=elltX2^Pisoi?Ikya^B>=QGxiT!36za;X}be%Ji=xC&nVnx6xAW-
v;`xI5N2lzt~YXcd_lxJJ#O%dh)(0Z{t@4tjjCbO#PiVcbWR{m%B`z#?M{bUENNFXr@(MRhjqtO<qx&I3(oyu8iG_Dy;l%ie_0lQMr5Mad~v
`4w*yi@RRNPMX&tUaNc2Ak5=P$ePe0=)@ZT&gL=6O`^Gbd^~!PPZgxBKET4~g@veI%|5xhj?gCgZD#M~nUQ?QJ{ks7C;*dZZv*Y9u<<<7vmQ
<MT8I{&%>$K3@WjKZjLa188+DCcu<jTsKe-
3?9TJ_zJKjb|!@RlZ|`>eRN`hlIWwRT2%PK;TTpk#E(E0&V)JWg>9R)dsG`2b3O0*_O&_RnrCIXBYwf6}|;|MA2zckcb~f4!4<^346-
3Az4D%LgeaN>16^M>Xos)nQ9~R(~=5z}bl-9VKONeD+Kd$9>*$VEPgxPD=75T>Wx9lr(J;lpJ-EpOVxKS6vxT+J(C&PE~c9(=*)thvAogUtU
c~0loWCeVB`)lO6n)2SxQUX|LW@SnxQw*=HqFx6Ts{&YS9(Y<xW@1~d&yj{2FU<U3DzT!YmhC4D}ClApp8UaM;x`;PitQ|0w?{b6rAXW!Nx|
7`X+dg8*p`s3QzEX&_SQF7Y8*<&5|#9O}lrIg$|X{<N?c-
u9rZKgJJ3hzc1#Fwt*q$E$m)i1|A!_gA#3`hBqXE+0j9oZR9{U6H;qy|ZCZ#GwMjmznbZ%fUT=v~py9!O7ddg~5minG6<%g!W8#_-
^l;LtbSf`<~{g}d*FYrDgB8Tjtmji76H3xkK{*h%0N#|E3Mk4fuvRQaEu;tVL3F$7>bMlrxko^@Tv0Ip8fVL<(n`3n@_sPqZ!byQ7#=w9TMG
|1!F<bIJ?N|Pe)tnILNb>N)%=Ap8CyD#^piX2FFnY*TI&*Z(kJ8khv8J26YU`^HGy+=2V7MDpqypp>>68zO<;V8&WgTW>&4Lm<K4T7$*G~oP
MxImg<jop~wo27m5%k2^(`}(XURiBad7rVYc^l+NKaDU{+jlxv|?-
4m)+njft7gyEQ*6`%(;=5ZMLxu~(bDWJK6I#H%zdC*O{0K}4Dq)yV(>G@G?~aZPT>Y#=2F~&M3w+?N*XZlMvY@M1!+(r1tr&mQvrWq*J$L3A
SzE3@aqPRryG{nqT|CNBAp7jlws;Tw5~umLyDzQyVZ8psEoa@e{fLb3$CY(^J^a^1NQn1H8}70V%>RQi;*3eOv5Vn;gQ<G0gwOD7%Jd<~mfO
{O{v-
dc&wqpRp0Uq=@3B??&a8}n1Qeu<*6R_FTz0Hkr<jg&!^?B0uT%z~HE1^@a=X*i4o@#1$VqO_JObKblTAMQR{g*45itI)ntcSMe^Nuyz5~1Gp
QdU#ufjK9g=IQlEA>bz8nDa$An%@kO^El~^RKD)39R<r47K;Y@Jq*ObC-
<^cd>TeH{XBFyz$=O8Jex|ue{r}gt`qb?e7{tLhQf6yEruQ{OiJ5c?W)os%%sA==7x=!wV&W=jv_wS9gzRFu98IOwyV)g-Mz^O~XG)qn;Kr-
}-M{iv4(E>GQX3Lo-
L1`VQ%?sAedxJK!YExx7usN#gsbu01)?dfChGC+Jz1lG8ick9@Lpz4P&cb<=WUY@5U+O`TSYp&@lAX<UQV;3O^N114!9pTaiOS+mZ)o-
{LGJZWgJq9n%-1Mul(=XQ=3X~WcKue*F9)e2<6=O;hX11EwC!}{8Lt3tK~uQlqQ-@NE}K}=6Uq`lQk&Pf_i!qqRwO-Z>;Q@C%&&L6{l->m-
qq(Itl!+LRe^IIONmCH@vw7A~erJ0FkH7l!^P2dvBgYP%ntlIjgvG?=-y{>N=;x^v>+Y2sZdX)7YOD-SoY%?n-
*}6&GH)H2#vaF=XsP27}YrGn~Z^97of8T`F8vnj&|8nJK@k!CkRQJ%Iz8N1quPViO)yUj_MH;z?7<AvP2SwoG&MlVAo3($=+v3B|C*AB3x7o
p9ME@4pAC)sUF6@*vUdwsk<WD}%qC6zEY7!)EUBORM`uEHNsoDMosXInaFz(cD=Ydk!?Cgr;|5*DjNg+|4%A~#XZXe89Z+8s0ihRDU;HS9*_
b7bwk1JQME<dk*l9OavLsFx^Gf7)NV@XPn5k=DWEJ?Y>t3i^&5bsY?SgrAAv{CCnJAC88hVt<-
hg8e64U8p^_LuG{&*)^d=ThnMuwADFvgo5np10g|%i+ZC<z1pIf?GJ493pyuwnMLnyg+2_v>xZ=D1Yv87Ug-
il{STE+nCL{{Li*LyQZ}XTC)kU*Epl|Ui-yi_aE5IP~D%?W2yDR7o`>kr?Vq1GoQxxOrq!iI8lUA{}B)n5D*X$5D*X$5D*al7RXlE*P8o#{%
tp(%jN9c|9!qJQtJzdHS>Q%>sMcWQE_y~(u>QU7a2Sr*|W`xs<~gETC={wGsb(Zf%N|XVnDP~
"""
"""A database as base85: made by NSS 3.87, then added to and changed by NSS 3.132 (Debian 12, Debian sid)."""
MIXED_FLAGS = {
    "old-C": "C,,",
    "old-p": "p,,",
    "old-c": "c,,",
    "old-T": "T,,",
    "C-then-p": "p,C,",
    "p-then-CT": "CT,,",
    "kept-P": "P,,",
    "new-C": "C,,",
    "new-p": "p,p,p",
    "new-T": "T,,",
    "new-mail": ",C,",
    "new-code": ",,C",
    "new-P": "P,,",
    "new-none": ",,",
}
"""What certutil of NSS 3.132 says of it."""


def mixed() -> bytes:
    return zlib.decompress(base64.b85decode("".join(MIXED.split())))
