"""The readers of Linux: the system's roots in the layouts of six distributions, p11-kit, tools and programs.

Compared with `trust` and `update-ca-certificates` as they are, in mount namespaces of their own.
"""

import os
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from base64 import urlsafe_b64encode
from collections import Counter
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from types import ModuleType

import pytest
from roots_support import (
    ADDED_AT,
    EMAIL,
    EMAIL_ONLY,
    LAYOUTS,
    SERVER,
    bundle,
    link,
    linux,
    mozilla,
    p11_object,
    p11_purposes,
    pem,
    put,
    qaznet,
    root,
)

from kzmitm.roots import certificate_files
from kzmitm.roots.pem import read_certificates
from kzmitm.roots.readers import environment, linux_anchors, linux_bundles, p11_kit, vendored
from kzmitm.roots.system import System
from kzmitm.roots.values import Origin, Platform, Purpose, Trust

READERS = (environment, linux_anchors, linux_bundles, p11_kit, vendored)
A, B, C, D = (root(name) for name in "ABCD")


def readings(system, *readers: ModuleType):
    return [reading for reader in readers or READERS for reading in reader.read(system)]


def roots_of(found) -> list:
    return [(each.store.kind, held) for each in found for held in each.roots]


def told(found, der) -> list[tuple[str, Trust, Origin]]:
    return [(kind, held.trust, held.origin) for kind, held in roots_of(found) if held.der == der]


# ---- distributions


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_clean_image_has_the_vendors_roots_and_nothing_else(tmp_path, name):
    LAYOUTS[name](tmp_path)
    found = readings(linux(tmp_path, deep=True))
    assert not [each.problem for each in found if each.problem]
    by_kind = Counter((kind, held.trust, held.origin) for kind, held in roots_of(found))
    has_p11 = name in ("fedora", "opensuse", "arch")
    in_force = len(mozilla()) - EMAIL_ONLY * has_p11
    expected = {(f"{name}_bundle", Trust.TRUSTED, Origin.VENDOR): in_force}
    if has_p11:
        expected["p11_kit", Trust.PRESENT, Origin.VENDOR] = EMAIL_ONLY
    assert by_kind == expected
    assert all(held.purposes in (None, {Purpose.EMAIL}) for _, held in roots_of(found))


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("which", ["made", "real"])
def test_a_root_of_an_administrator_is_found_with_place_and_date(tmp_path, name, which):
    der = A if which == "made" else qaznet()
    if der is None:
        pytest.skip("needs the shared certificates beside the checkout")
    LAYOUTS[name](tmp_path, [der])
    found = readings(linux(tmp_path))
    assert told(found, der) == [
        (f"{name}_anchors", Trust.TRUSTED, Origin.ADMIN),
        (f"{name}_bundle", Trust.TRUSTED, Origin.ADMIN),
    ]
    for _, held in roots_of(found):
        if held.der == der:
            assert "/added-0." in held.place
            assert held.added_at == ADDED_AT
    others = {held.origin for _, held in roots_of(found) if held.der != der}
    assert others == {Origin.VENDOR}
    (anchors,) = [each for each in found if each.store.kind.endswith("_anchors")]
    assert anchors.store.application.startswith("this system (")


def test_a_bundle_is_told_of_once_under_all_its_names_and_one_that_differs_for_itself(tmp_path):
    put(tmp_path, "/etc/ssl/certs/ca-certificates.crt", bundle([A]))
    link(tmp_path, "/etc/ssl/cert.pem", "certs/ca-certificates.crt")
    put(tmp_path, "/etc/ssl/certs/ca-bundle.crt", bundle([A]))
    put(tmp_path, "/etc/pki/tls/cacert.pem", bundle([A, B]))
    found = readings(linux(tmp_path))
    assert [(each.store.kind, each.store.path, len(each.roots)) for each in found] == [
        ("linux_bundle", "/etc/ssl/certs/ca-certificates.crt", 1),
        ("linux_bundle", "/etc/pki/tls/cacert.pem", 2),
    ]
    assert found[0].store.application == "this system"


def test_a_folder_tells_what_the_bundle_lacks(tmp_path):
    LAYOUTS["debian"](tmp_path)
    put(tmp_path, "/etc/ssl/certs/abcdef01.0", pem(A), ADDED_AT)
    put(tmp_path, "/etc/ssl/certs/for-go.pem", pem(B))
    put(tmp_path, "/etc/ssl/certs/dhparam.pem", "no certificate")
    put(tmp_path, "/etc/ssl/certs/key.pem", pem(b"key", "PRIVATE KEY"))
    found = readings(linux(tmp_path), linux_bundles)
    (folder,) = [each for each in found if each.store.kind == "debian_folder"]
    assert [(held.der, held.origin) for held in folder.roots] == [(A, Origin.ADMIN), (B, Origin.ADMIN)]
    assert (folder.roots[0].place, folder.roots[0].added_at) == ("/etc/ssl/certs/abcdef01.0", ADDED_AT)
    assert not folder.problem


def test_a_root_that_neither_vendor_nor_administrator_put_there_is_of_unknown_origin(tmp_path):
    """Written into the bundle itself, past every tool."""
    LAYOUTS["debian"](tmp_path)
    put(tmp_path, "/etc/ssl/certs/ca-certificates.crt", bundle((*mozilla(), A)))
    assert told(readings(linux(tmp_path)), A) == [("debian_bundle", Trust.TRUSTED, Origin.UNKNOWN)]


def test_what_openssl_may_not_use_is_told_from_the_partial_bundle(tmp_path, monkeypatch):
    LAYOUTS["fedora"](tmp_path)
    trusted = subprocess.run(
        ["openssl", "x509", "-trustout", "-addreject", "serverAuth"],
        input=pem(A),
        capture_output=True,
        check=True,
    ).stdout
    path = "/etc/pki/ca-trust/extracted/openssl/ca-bundle.trust.crt"
    put(tmp_path, path, bundle(mozilla()[:5]) + trusted)
    found = readings(linux(tmp_path), linux_bundles)
    assert [len(each.roots) for each in found] == [len(mozilla()) - EMAIL_ONLY, 1]
    assert told(found, A) == [("fedora_bundle", Trust.DISTRUSTED, Origin.UNKNOWN)]


# ---- administrators' folders

P11_FOLDERS = {
    "fedora": "/etc/pki/ca-trust/source",
    "opensuse": "/etc/pki/trust",
    "arch": "/etc/ca-certificates/trust-source",
}


@pytest.mark.parametrize("name", P11_FOLDERS)
@pytest.mark.parametrize("blocklist", ["blocklist", "blacklist"])
def test_folders_of_p11_kit(tmp_path, name, blocklist):
    base = P11_FOLDERS[name]
    put(tmp_path, f"{base}/anchors/a.pem", pem(A))
    put(tmp_path, f"{base}/{blocklist}/b.der", B, ADDED_AT)
    put(tmp_path, f"{base}/c.crt", pem(C))
    put(tmp_path, f"{base}/d.p11-kit", p11_object(D, 'label: "d"', "x-distrusted: true"))
    put(tmp_path, f"{base}/README", "words")
    found = readings(linux(tmp_path))
    assert not [each.problem for each in found if each.problem]
    assert told(found, A) == [(f"{name}_anchors", Trust.TRUSTED, Origin.ADMIN)]
    assert told(found, B) == [(f"{name}_blocklist", Trust.DISTRUSTED, Origin.ADMIN)]
    assert told(found, C) == [(f"{name}_anchors", Trust.PRESENT, Origin.ADMIN)]
    assert told(found, D) == [(f"{name}_anchors", Trust.DISTRUSTED, Origin.ADMIN)]
    (blocked,) = [held for _, held in roots_of(found) if held.der == B]
    assert (blocked.place, blocked.added_at) == (f"{base}/{blocklist}/b.der", ADDED_AT)


def test_debian_reads_pem_in_files_of_its_suffix_and_the_rest_is_there_for_nothing(tmp_path):
    base = "/usr/local/share/ca-certificates"
    put(tmp_path, f"{base}/corp/inner/a.crt", pem(A))
    put(tmp_path, f"{base}/a.pem", pem(A))
    put(tmp_path, f"{base}/b.pem", pem(B))
    put(tmp_path, f"{base}/c.crt", C)
    put(tmp_path, f"{base}/notes.txt", pem(D))
    (found,) = readings(linux(tmp_path))
    assert [(held.der, held.trust) for held in found.roots] == [
        (C, Trust.PRESENT),
        (A, Trust.TRUSTED),
        (B, Trust.PRESENT),
    ]
    assert found.problem == "c.crt: not PEM, so programs do not read it there"
    assert found.store.kind == "debian_anchors"


def test_debians_choice_leaves_roots_out(tmp_path):
    LAYOUTS["debian"](tmp_path)
    put(
        tmp_path,
        "/etc/ca-certificates.conf",
        "#\nmozilla/1.crt\n!mozilla/0.crt\n! mozilla/2.crt \r\n!gone.crt\n!../../etc/passwd\n!\n!mozilla\n",
        ADDED_AT,
    )
    (choice,) = [each for each in readings(linux(tmp_path)) if each.store.kind == "debian_choice"]
    assert choice.store.path == "/etc/ca-certificates.conf"
    assert [(held.der, held.trust, held.origin) for held in choice.roots] == [
        (mozilla()[0], Trust.DISTRUSTED, Origin.ADMIN),
        (mozilla()[2], Trust.DISTRUSTED, Origin.ADMIN),
    ]
    assert {held.added_at for held in choice.roots} == {ADDED_AT}
    assert choice.roots[0].place == "/usr/share/ca-certificates/mozilla/0.crt"


def test_a_choice_without_end_is_cut(tmp_path, monkeypatch):
    LAYOUTS["debian"](tmp_path)
    monkeypatch.setattr(linux_anchors, "MAX_LEFT_OUT", 1)
    put(tmp_path, "/etc/ca-certificates.conf", "!mozilla/0.crt\n!mozilla/1.crt\n")
    (choice,) = readings(linux(tmp_path), linux_anchors)
    assert (len(choice.roots), "not read to its end" in choice.problem) == (1, True)
    put(tmp_path, "/etc/ca-certificates.conf", "x" * (1 << 20) + "y")
    (choice,) = readings(linux(tmp_path), linux_anchors)
    assert choice.problem == "larger than 1 MiB, so it was not read"


# ---- as the programs themselves do it

NAMESPACE = ("unshare", "-Urm", "sh", "-ec")


def test_update_ca_certificates_and_then_us(tmp_path):
    for path in ("usr/share/ca-certificates", "usr/local/share/ca-certificates", "etc/ssl/certs", "hooks"):
        (tmp_path / path).mkdir(parents=True)
    shutil.copytree("/usr/share/ca-certificates", tmp_path / "usr/share/ca-certificates", dirs_exist_ok=True)
    conf = Path("/etc/ca-certificates.conf").read_text()
    left_out = next(line for line in conf.splitlines() if line.startswith("mozilla/"))
    put(tmp_path, "/etc/ca-certificates.conf", conf.replace(left_out, "!" + left_out))
    put(tmp_path, "/usr/local/share/ca-certificates/corp.crt", pem(A), ADDED_AT)
    put(tmp_path, "/etc/debian_version", "12.5\n")
    script = """
    mount --bind "$0/usr/share/ca-certificates" /usr/share/ca-certificates
    mount --bind "$0/usr/local/share/ca-certificates" /usr/local/share/ca-certificates
    mount --bind "$0/etc/ssl/certs" /etc/ssl/certs
    update-ca-certificates --certsconf "$0/etc/ca-certificates.conf" --hooksdir "$0/hooks"
    """
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    subprocess.run([*NAMESPACE, script, tmp_path], check=True, capture_output=True, env={"PATH": path})
    found = readings(linux(tmp_path))
    assert not [each.problem for each in found if each.problem]
    assert told(found, A) == [
        ("debian_anchors", Trust.TRUSTED, Origin.ADMIN),
        ("debian_bundle", Trust.TRUSTED, Origin.ADMIN),
    ]
    assert {held.added_at for _, held in roots_of(found) if held.der == A} == {ADDED_AT}
    (system,) = [each for each in found if each.store.kind == "debian_bundle"]
    assert len(system.roots) == len(mozilla())  # one left out, one added
    blocked = read_certificates(Path("/usr/share/ca-certificates", left_out).read_bytes()).certificates
    assert told(found, blocked[0].der) == [("debian_choice", Trust.DISTRUSTED, Origin.ADMIN)]


def p11_tree(base: Path) -> None:
    """Every form in every kind of folder, with the roots of the real list."""
    forms = iter(mozilla())
    for folder in ("", "anchors/", "blocklist/"):
        put(base, f"{folder}plain.pem", pem(next(forms)))
        put(base, f"{folder}two.crt", pem(next(forms)) + pem(next(forms)))
        put(base, f"{folder}bare.der", next(forms))
        der = next(forms)
        put(base, f"{folder}yes.p11-kit", p11_object(der, "trusted: true") + p11_purposes(der, SERVER, EMAIL))
        der = next(forms)
        put(base, f"{folder}mail.p11-kit", p11_object(der, "trusted: true") + p11_purposes(der, EMAIL))
        put(base, f"{folder}no.p11-kit", p11_object(next(forms), "x-distrusted: true"))
        put(base, f"{folder}silent.p11-kit", p11_object(next(forms), 'label: "x%20y"'))
        for number, options in enumerate(
            (
                ("-addtrust", "serverAuth"),
                ("-addtrust", "emailProtection"),
                ("-addreject", "serverAuth"),
                ("-addreject", "emailProtection"),
                ("-addtrust", "serverAuth", "-addreject", "serverAuth"),
                ("-addtrust", "serverAuth", "-addtrust", "codeSigning", "-addreject", "codeSigning"),
            )
        ):
            made = subprocess.run(
                ["openssl", "x509", "-trustout", *options],
                input=pem(next(forms)),
                capture_output=True,
                check=True,
            )
            put(base, f"{folder}openssl-{number}.pem", made.stdout)


def test_the_folders_of_p11_kit_are_read_as_it_reads_them(tmp_path):
    """`trust` says which are anchors and blocked, and which anchors are for servers."""
    base = tmp_path / "etc/pki/ca-trust/source"
    p11_tree(base)
    module = f"module: p11-kit-trust.so\ntrust-policy: yes\nx-init-reserved: paths='{base}'\n"
    put(tmp_path, "modules/p11-kit-trust.module", module)
    script = """
    mount --bind "$0/modules" /usr/share/p11-kit/modules
    trust extract --format=pem-bundle --filter=ca-anchors --purpose=server-auth "$0/servers.pem"
    trust extract --format=pem-bundle --filter=blocklist "$0/blocked.pem"
    trust extract --format=pem-bundle --filter=certificates "$0/all.pem"
    """
    subprocess.run([*NAMESPACE, script, tmp_path], check=True, capture_output=True)

    def theirs(name):
        held = read_certificates((tmp_path / name).read_bytes())
        return {found.der for found in held.certificates}

    found = readings(linux(tmp_path), linux_anchors)
    assert not [each.problem for each in found if each.problem]
    ours = {trust: {held.der for _, held in roots_of(found) if held.trust is trust} for trust in Trust}
    assert ours[Trust.TRUSTED] | ours[Trust.PRESENT] | ours[Trust.DISTRUSTED] == theirs("all.pem")
    assert ours[Trust.DISTRUSTED] == theirs("blocked.pem")
    assert ours[Trust.TRUSTED] == theirs("servers.pem")
    assert all(len(each) > 5 for each in ours.values())
    # ... and the same through `trust dump`, asked by us in there
    code = (
        "from kzmitm.roots.readers import p11_kit; from kzmitm.roots.system import System;"
        "from kzmitm.roots.values import Platform;"
        "[print(r.trust, r.der.hex()) for s in p11_kit.read(System(platform=Platform.LINUX, environ={},"
        " home='/')) for r in s.roots]"
    )
    script = 'mount --bind "$0/modules" /usr/share/p11-kit/modules; exec "$1" -c "$2"'
    python = Path(os.sys.executable)
    asked = subprocess.run(
        [*NAMESPACE, script, tmp_path, python, code], check=True, capture_output=True, text=True
    ).stdout
    dumped = {
        (Trust(trust), bytes.fromhex(der)) for trust, der in (line.split() for line in asked.splitlines())
    }
    system = {
        found.der
        for found in read_certificates(Path("/etc/ssl/certs/ca-certificates.crt").read_bytes()).certificates
    }
    expected = {
        (trust, der)
        for trust, found_ in ours.items()
        for der in found_
        if trust is not Trust.TRUSTED or der not in system
    }
    assert dumped == expected


def test_trust_and_we_agree_on_this_system():
    here = System(platform=Platform.LINUX, environ={}, home="/nonexistent")
    listed = subprocess.run(
        ["trust", "list", "--filter=ca-anchors"], capture_output=True, text=True, check=True
    )
    found = readings(here, linux_bundles)
    trusted = {held.der for _, held in roots_of(found) if held.trust is Trust.TRUSTED}
    assert len(trusted) == listed.stdout.count("trust: anchor") > 100
    (said,) = readings(here, p11_kit)
    assert (said.store.path, said.roots, said.problem) == ("pkcs11:", (), "")


def test_the_stores_of_this_system_are_read_at_once():
    here = System(platform=Platform.LINUX, environ={}, home="/nonexistent")
    spent = []
    for _ in range(5):
        before = time.process_time()
        readings(here, linux_anchors, linux_bundles)
        spent.append(time.process_time() - before)
    assert min(spent) < 0.15


# ---- p11-kit's files, and a program that misbehaves


def test_files_of_p11_kit_tell_what_the_bundles_do_not(tmp_path):
    put(
        tmp_path,
        "/usr/share/pki/ca-trust-source/x.p11-kit",
        p11_object(A, "trusted: true") + p11_object(B, "x-distrusted: true") + p11_object(C, "trusted: true"),
    )
    put(tmp_path, "/etc/pki/tls/certs/ca-bundle.crt", bundle([A]))
    put(
        tmp_path,
        "/usr/share/p11-kit/modules/own.module",
        "module: x\nx-init-reserved: paths='/opt/own:/opt/o.pem:y'\n",
    )
    put(tmp_path, "/usr/share/p11-kit/modules/empty.module", "x-init-reserved:\n")
    put(tmp_path, "/etc/pkcs11/modules/big.module", "x" * (1 << 17))
    put(tmp_path, "/opt/own/blocklist/c.pem", pem(C))
    put(tmp_path, "/opt/own/anchors/bad.pem", pem(C[:-1]))
    put(tmp_path, "/opt/o.pem", pem(D))
    found = readings(linux(tmp_path), p11_kit)
    assert {(each.store.kind, each.store.path, each.problem) for each in found} == {
        ("p11_kit", "/usr/share/pki/ca-trust-source", ""),
        ("p11_kit", "/opt/own/anchors", "bad.pem: 1 block is no certificate and was passed over"),
        ("p11_kit", "/opt/own/blocklist", ""),
        ("p11_kit", "/opt/o.pem", ""),
    }
    assert told(found, A) == []
    assert told(found, B) == [("p11_kit", Trust.DISTRUSTED, Origin.VENDOR)]
    assert [trust for _, trust, _ in told(found, C)] == [Trust.TRUSTED, Trust.DISTRUSTED]
    assert [trust for _, trust, _ in told(found, D)] == [Trust.TRUSTED]


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("exit 3", "failed (3)"),
        ("sleep 60 & sleep 60", "was stopped after 0.3 seconds"),
        ("yes", "wrote more than 1 MiB, so it was stopped"),
        ("echo '[p11-kit-object-v1]'; printf -- '-----BEGIN CERTIFICATE-----'", "1 block is no certificate"),
        ("", ""),
    ],
)
def test_a_program_that_misbehaves(tmp_path, monkeypatch, script, problem):
    program = put(tmp_path, "trust", f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(p11_kit, "PROGRAMS", (str(program),))
    monkeypatch.setattr(p11_kit, "TIME_LIMIT", 0.3)
    monkeypatch.setattr(p11_kit, "MAX_OUTPUT", 1 << 20)
    before = time.monotonic()
    here = System(platform=Platform.LINUX, environ={"HOME": str(tmp_path)}, home=str(tmp_path))
    (said, *_) = readings(here, p11_kit)
    assert said.problem.removeprefix(str(program)).strip().startswith(problem)
    assert time.monotonic() - before < 20


def test_a_program_that_cannot_be_started(tmp_path, monkeypatch):
    monkeypatch.setattr(p11_kit, "PROGRAMS", (str(put(tmp_path, "trust", "x")),))
    here = System(platform=Platform.LINUX, environ={}, home=str(tmp_path))
    assert [each.problem for each in readings(here, p11_kit)] == [f"{tmp_path}/trust: Permission denied"]


# ---- variables and settings


def test_each_variable_is_a_store(tmp_path):
    put(tmp_path, "/ca.pem", pem(A))
    put(tmp_path, "/folder/0a0b0c0d.0", pem(B))
    put(tmp_path, "/folder/words.txt", pem(C))
    environ = {
        "NODE_EXTRA_CA_CERTS": "/ca.pem",
        "SSL_CERT_DIR": "/folder::/nowhere",
        "SSL_CERT_FILE": "",
        "REQUESTS_CA_BUNDLE": "$HOME/ca.pem",
        "PIP_CERT": "ca.pem",
        "CONDA_SSL_VERIFY": "true",
        "CURL_CA_BUNDLE": "/ca.pem\0x",
        "PATH": "/ca.pem",
    }
    found = readings(linux(tmp_path, environ=environ, home="/"), environment)
    assert {(each.store.application, each.store.path): (len(each.roots), each.problem) for each in found} == {
        ("programs with OpenSSL, Go or Rust (SSL_CERT_DIR)", "/folder"): (1, ""),
        ("programs with OpenSSL, Go or Rust (SSL_CERT_DIR)", "/nowhere"): (0, "there is no such file"),
        ("Python requests (REQUESTS_CA_BUNDLE)", "//ca.pem"): (1, ""),
        ("pip (PIP_CERT)", "ca.pem"): (0, environment.RELATIVE),
        ("curl, Python requests (CURL_CA_BUNDLE)", "/ca.pem\0x"): (0, environment.RELATIVE),
        ("Node.js (NODE_EXTRA_CA_CERTS)", "/ca.pem"): (1, ""),
    }
    assert {each.store.kind for each in found} == {"environment_variable"}
    assert {(held.trust, held.origin) for _, held in roots_of(found)} == {(Trust.TRUSTED, Origin.ENVIRONMENT)}


FILES = [
    ("/home/u/.gitconfig", "[user]\n\tsslCAInfo = /no\n[http]\n\tsslCAInfo = ~/ca.pem\n", "git (sslCAInfo"),
    ("/etc/gitconfig", '[http "https://x"] sslcainfo=/home/u/ca.pem # words', "git (sslcainfo"),
    ("/home/u/.config/git/config", '[HTTP]\n  sslCAPath = "/home/u/ca.pem"', "git (sslCAPath"),
    ("/home/u/.npmrc", "registry=x\ncafile=${HOME}/ca.pem\n", "npm (cafile"),
    ("/home/u/.npmrc", "//registry.x/:cafile=/home/u/ca.pem\n", "npm (//registry.x/:cafile"),
    ("/etc/npmrc", 'ca[]="' + pem(A).decode().replace("\n", "\\n") + '"\n', "npm (ca[]"),
    ("/etc/npmrc", "ca='" + pem(A).decode().replace("\n", "\\n") + "'\n", "npm (ca in"),
    ("/home/u/.config/pip/pip.conf", "[global]\ncert = /home/u/ca.pem ; words\n", "pip (cert"),
    ("/etc/pip.conf", "[install]\r\ncert=/home/u/ca.pem\r\n", "pip (cert"),
    ("/home/u/.curlrc", "--cacert /home/u/ca.pem\n", "curl (cacert"),
    ("/home/u/.curlrc", '# cacert = "/x"\ncacert = "/home/u/ca.pem"\n', "curl (cacert"),
    ("/home/u/.curlrc", "cacert: /home/u/ca.pem", "curl (cacert"),
    ("/home/u/.wgetrc", "ca-certificate = /home/u/ca.pem\n", "wget (ca-certificate"),
    ("/etc/wgetrc", "CA_Certificate=/home/u/ca.pem\n", "wget (CA_Certificate"),
    ("/home/u/.aws/config", "[default]\nca_bundle = /home/u/ca.pem\n", "AWS tools (ca_bundle"),
    ("/home/u/.cargo/config.toml", '[http]\ncainfo = "/home/u/ca.pem" # words\n', "Cargo (cainfo"),
    ("/home/u/.condarc", "channels:\n  - x\nssl_verify: /home/u/ca.pem\n", "conda (ssl_verify"),
    ("/home/u/.yarnrc.yml", 'httpsCaFilePath: "/home/u/ca.pem"\n', "Yarn (httpsCaFilePath"),
    ("/home/u/.yarnrc", 'cafile "/home/u/ca.pem"\n', "Yarn (cafile"),
    ("/home/u/.bundle/config", '---\nBUNDLE_SSL_CA_CERT: "/home/u/ca.pem"\n', "Bundler (BUNDLE_SSL_CA_CERT"),
    ("/etc/environment", 'NODE_EXTRA_CA_CERTS="/home/u/ca.pem"\n', "Node.js (NODE_EXTRA_CA_CERTS"),
    ("/etc/profile.d/x.sh", "export GIT_SSL_CAINFO=/home/u/ca.pem; x\n", "git (GIT_SSL_CAINFO"),
    (
        "/home/u/.bashrc",
        'export SSL_CERT_DIR="$HOME/ca.pem"\n',
        "programs with OpenSSL, Go or Rust (SSL_CERT_DIR",
    ),
]


@pytest.mark.parametrize(("path", "text", "application"), FILES)
def test_settings_of_tools(tmp_path, path, text, application):
    put(tmp_path, "/home/u/ca.pem", pem(A))
    put(tmp_path, "/home/v/words", "")
    put(tmp_path, path, text)
    (found,) = readings(linux(tmp_path), environment)
    assert told([found], A) == [("tool_setting", Trust.TRUSTED, Origin.ENVIRONMENT)]
    assert found.store.application.startswith(application)
    assert found.store.application.endswith(f"in {path})")
    assert found.store.profile == ("u" if path.startswith("/home") else "")
    assert found.store.path == (path if "BEGIN" in text else "/home/u/ca.pem")


def test_settings_that_name_no_roots(tmp_path):
    put(tmp_path, "/root/.condarc", "ssl_verify: true\n")
    put(
        tmp_path,
        "/root/.gitconfig",
        "sslCAInfo = /x\n[http]\nsslVerify = /x\n[http]\nsslCAInfo =\n[httpx]\nsslCAInfo=/x",
    )
    put(tmp_path, "/root/.npmrc", "ca=null\ncafile\n= \n\n[]\n[\n")
    put(tmp_path, "/root/.profile", "export node_extra_ca_certs=/x\n")
    put(tmp_path, "/root/.curlrc", "cacert = " + "x" * (1 << 20))
    assert readings(linux(tmp_path), environment) == []


def test_a_variable_that_is_set_now_is_not_told_of_again_by_its_file(tmp_path):
    put(tmp_path, "/ca.pem", pem(A))
    put(tmp_path, "/etc/environment", "PIP_CERT=/ca.pem\nNODE_EXTRA_CA_CERTS=/ca.pem\n")
    found = readings(linux(tmp_path, environ={"PIP_CERT": "/ca.pem"}, home="/h"), environment)
    assert [(each.store.kind, each.store.application) for each in found] == [
        ("environment_variable", "pip (PIP_CERT)"),
        ("tool_setting", "Node.js (NODE_EXTRA_CA_CERTS in /etc/environment)"),
    ]


def test_a_file_of_settings_without_end_is_cut(tmp_path):
    put(tmp_path, "/etc/gitconfig", "[http]\n" + "sslCAInfo=/x\n" * 5000)
    assert len(readings(linux(tmp_path), environment)) == 100
    put(
        tmp_path,
        "/etc/gitconfig",
        "[http]\nsslCAInfo=" + "x " * 10**5 + "\n" + "[" * 10**5 + " " * 10**5 + "x=",
    )
    before = time.process_time()
    readings(linux(tmp_path), environment)
    assert time.process_time() - before < 5


# ---- bundles of programs

CERTIFI = "/home/u/venv/lib/python3.11/site-packages/certifi/cacert.pem"


def record(base: Path, name: str, content: bytes) -> None:
    digest = urlsafe_b64encode(sha256(content).digest()).rstrip(b"=").decode()
    folder = CERTIFI.removesuffix("certifi/cacert.pem") + "certifi-2024.1.1.dist-info/RECORD"
    put(base, folder, f"certifi/__init__.py,sha256=x,1\n{name},sha256={digest},{len(content)}\n")


def test_bundles_of_programs_are_looked_for_only_if_asked(tmp_path):
    put(tmp_path, CERTIFI, pem(A))
    assert readings(linux(tmp_path)) == []
    (found,) = readings(linux(tmp_path, deep=True))
    assert (found.store.kind, found.store.application, found.store.path) == (
        "vendored_bundle",
        "certifi",
        CERTIFI,
    )


@pytest.mark.parametrize("is_changed", [False, True])
def test_a_bundle_that_somebody_wrote_into_is_not_the_vendors(tmp_path, is_changed):
    put(tmp_path, CERTIFI, pem(A) + pem(B) * is_changed)
    record(tmp_path, "certifi/cacert.pem", pem(A))
    (found,) = readings(linux(tmp_path, deep=True))
    assert {held.origin for held in found.roots} == {Origin.UNKNOWN if is_changed else Origin.VENDOR}


def test_places_of_programs_and_names_of_bundles(tmp_path):
    paths = {
        "/usr/lib/python3/dist-packages/pip/_vendor/certifi/cacert.pem": "pip (certifi)",
        "/usr/lib/python3.11/site-packages/botocore/cacert.pem": "botocore",
        "/opt/conda/ssl/cert.pem": "conda",
        "/usr/local/share/curl/curl-ca-bundle.crt": "curl",
        "/snap/core/1/etc/ssl/certs/ca-certificates.crt": "1",
        "/var/lib/flatpak/runtime/x/ssl/cacert.pem": "x",
        "/root/tools/roots.pem": "tools",
    }
    for path in paths:
        put(tmp_path, path, pem(A))
    put(tmp_path, "/home/u/live/cert.pem", pem(B))
    put(tmp_path, "/home/u/notes/roots.pem", "words")
    put(tmp_path, "/home/u/.git/cacert.pem", pem(B))
    found = readings(linux(tmp_path, deep=True), vendored)
    assert {each.store.path: each.store.application for each in found} == paths


def test_a_walk_stays_in_the_system_and_follows_no_links(tmp_path):
    inside, outside = tmp_path / "image", tmp_path / "outside"
    put(outside, "/cacert.pem", pem(A))
    put(inside, "/home/u/a/cacert.pem", pem(B))
    for number in range(3):
        link(inside, f"/home/u/ring-{number}", "../u")
        link(inside, f"/home/u/a/up-{number}", "..")
    link(inside, "/home/u/out", str(outside))
    link(inside, "/home/u/far", "../../../outside")
    link(inside, "/home/u/cacert.pem", str(outside / "cacert.pem"))
    link(inside, "/opt", str(outside))
    link(inside, "/srv", "../outside")
    link(inside, "/home/again", "u")
    found = readings(linux(inside, deep=True), vendored)
    assert [each.store.path for each in found] == ["/home/again/a/cacert.pem"]


@pytest.mark.parametrize("limit", ["MAX_FOLDERS", "MAX_BUNDLES"])
def test_a_walk_has_an_end(tmp_path, monkeypatch, limit):
    for number in range(9):
        put(tmp_path, f"/opt/{number}/cacert.pem", pem(A))
    monkeypatch.setattr(vendored, limit, 4)
    *found, last = readings(linux(tmp_path, deep=True), vendored)
    assert 3 <= len(found) <= 4
    assert "not all were looked at" in last.problem


# ---- hostile stores

PLACES = {
    "/etc/ssl/certs/ca-certificates.crt": "debian_bundle",
    "/etc/ssl/certs/0badf00d.0": "debian_folder",
    "/usr/local/share/ca-certificates/bad.crt": "debian_anchors",
    "/etc/pki/ca-trust/source/blocklist/bad.pem": "fedora_blocklist",
    "/etc/ca-certificates.conf": "debian_choice",
    "/usr/share/pki/trust/bad.p11-kit": "p11_kit",
    "/home/u/bad.pem": "tool_setting",
    "/opt/tool/cacert.pem": "vendored_bundle",
}


def fifo(file: Path) -> None:
    os.mkfifo(file)


def device(file: Path) -> None:
    try:
        os.mknod(file, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    except PermissionError:  # a socket is none the better
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(os.path.relpath(file))


def sparse(file: Path) -> None:
    with file.open("wb") as made:
        made.truncate(1 << 30)


def ring(file: Path) -> None:
    file.symlink_to(file.name)


def nuls(file: Path) -> None:
    file.write_bytes(b"\0" * 100_000)


def cut(file: Path) -> None:
    file.write_bytes(pem(A)[:-40] + b"\n!x\n")


HOSTILE = {
    fifo: "not a plain file",
    device: "not a plain file",
    sparse: "larger than",
    ring: "",
    nuls: "",
    cut: "",
}


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize("make", HOSTILE)
def test_a_bad_store_is_told_of_and_the_others_are_read(tmp_path, monkeypatch, path, make):
    monkeypatch.chdir(tmp_path)
    put(tmp_path, "/etc/debian_version", "12\n")
    put(tmp_path, "/etc/ssl/certs/ca-certificates.crt", bundle([A]))
    put(tmp_path, "/usr/local/share/ca-certificates/b.crt", pem(B))
    put(tmp_path, "/home/u/.curlrc", "cacert=~/c.pem\ncacert=~/bad.pem\n")
    put(tmp_path, "/home/u/c.pem", pem(C))
    put(tmp_path, "/opt/good/cacert.pem", pem(D))
    file = put(tmp_path, path, "")
    file.unlink()
    make(file)
    before = time.process_time()
    found = readings(linux(tmp_path, deep=True))
    assert time.process_time() - before < 5
    assert len({held.der for _, held in roots_of(found)} & {A, B, C, D}) >= 3
    problems = {each.store.kind: each.problem for each in found if each.problem}
    is_walked = path.startswith("/opt") and make in (fifo, device, ring)  # a walk takes plain files only
    if HOSTILE[make] and not is_walked:
        assert HOSTILE[make] in problems[PLACES[path]]
    assert all("\n" not in problem for problem in problems.values())


def test_links_out_of_the_system_lead_nowhere(tmp_path):
    inside, outside = tmp_path / "image", tmp_path / "outside"
    put(outside, "/bundle.pem", pem(A))
    put(outside, "/anchors/a.crt", pem(A))
    link(inside, "/etc/ssl/certs/ca-certificates.crt", "../../../../outside/bundle.pem")
    link(inside, "/etc/ssl/cert.pem", str(outside / "bundle.pem"))
    link(inside, "/usr/local/share/ca-certificates", str(outside / "anchors"))
    link(inside, "/home/u/.npmrc", "../../../outside/bundle.pem")
    assert readings(linux(inside, deep=True)) == []


def test_rings_of_folders_end(tmp_path):
    put(tmp_path, "/usr/local/share/ca-certificates/a.crt", pem(A))
    for number in range(5):
        link(tmp_path, f"/usr/local/share/ca-certificates/ring-{number}", ".")
    (found,) = readings(linux(tmp_path), linux_anchors)
    assert [held.place for held in found.roots] == ["/usr/local/share/ca-certificates/a.crt"]


def test_many_bad_files_are_one_line(tmp_path):
    for number in range(6):
        put(tmp_path, f"/usr/local/share/ca-certificates/{number}.crt", "words")
    (found,) = readings(linux(tmp_path), linux_anchors)
    assert (
        found.problem == "; ".join(f"{n}.crt: no certificate in it" for n in range(3)) + "; and 3 more files"
    )


def test_files_that_may_not_be_read():
    """As another user, because root may read everything."""
    base = Path(tempfile.mkdtemp(prefix="kzmitm-test-"))
    try:
        base.chmod(0o755)
        put(base, "/etc/ssl/certs/ca-certificates.crt", bundle([A])).chmod(0)
        put(base, "/usr/local/share/ca-certificates/a.crt", pem(A)).chmod(0)
        put(base, "/usr/local/share/ca-certificates/b.crt", pem(B))
        put(base, "/opt/shut/cacert.pem", pem(C)).parent.chmod(0)
        put(base, "/opt/open/cacert.pem", pem(D))
        found = _as_nobody(lambda: readings(linux(base, deep=True)))
    finally:
        (base / "opt/shut").chmod(0o755)
        shutil.rmtree(base)
    assert {each.store.kind: each.problem for each in found} == {
        "linux_bundle": "Permission denied",
        "debian_anchors": "a.crt: Permission denied",
        "vendored_bundle": "",
    }
    assert {held.der for _, held in roots_of(found)} == {B, D}


def _as_nobody(work):
    if os.geteuid():
        return work()
    os.seteuid(65534)
    try:
        return work()
    finally:
        os.seteuid(0)


def test_an_empty_bundle_is_a_bundle(tmp_path):
    put(tmp_path, "/etc/ssl/certs/ca-certificates.crt", "")
    put(tmp_path, "/etc/pki/ca-trust/source/ca-bundle.legacy.crt", "")
    (found,) = readings(linux(tmp_path))
    assert (found.roots, found.problem) == ((), "")


def test_folders_are_not_entered_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(certificate_files, "MAX_FOLDERS", 3)
    for number in range(9):
        put(tmp_path, f"/usr/local/share/ca-certificates/{number}/a.crt", pem(root(str(number))))
    (found,) = readings(linux(tmp_path), linux_anchors)
    assert len(found.roots) == 3


def test_a_folder_of_large_files_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(certificate_files, "MAX_FOLDER_OCTETS", 1 << 20)
    for number in range(4):
        put(tmp_path, f"/usr/local/share/ca-certificates/{number}.crt", pem(A) + b" " * (1 << 20))
    put(tmp_path, "/usr/local/share/ca-certificates/9.crt", pem(B))
    (found,) = readings(linux(tmp_path), linux_anchors)
    assert [held.der for held in found.roots] == [A]
    assert found.problem == "more than 1 MiB of files, so not all were read"


def test_dates_are_of_the_file_that_was_added(tmp_path):
    now = datetime(2025, 5, 5, tzinfo=UTC)
    LAYOUTS["debian"](tmp_path, [A])
    put(tmp_path, "/usr/local/share/ca-certificates/added-0.crt", pem(A), now - timedelta(days=3))
    dates = {held.added_at for _, held in roots_of(readings(linux(tmp_path))) if held.der == A}
    assert dates == {now - timedelta(days=3)}
