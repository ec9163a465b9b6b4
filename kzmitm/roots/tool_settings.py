"""Settings by which tools trust other roots than the system does: variables, and lines of files.

The forms are those of the tools' own manuals, read line by line and with no more than such lines need: what
a tool would refuse is of no matter, what it would take is seen.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kzmitm.wording import Wording

VARIABLES: Mapping[str, str] = {
    "SSL_CERT_FILE": Wording("programs with OpenSSL, Go or Rust"),
    "SSL_CERT_DIR": Wording("programs with OpenSSL, Go or Rust"),
    "NIX_SSL_CERT_FILE": Wording("programs of Nix"),
    "REQUESTS_CA_BUNDLE": Wording("Python requests"),
    "HTTPLIB2_CA_CERTS": Wording("Python httplib2"),
    "PIP_CERT": "pip",
    "CURL_CA_BUNDLE": Wording("curl, Python requests"),
    "GIT_SSL_CAINFO": "git",
    "GIT_SSL_CAPATH": "git",
    "GIT_PROXY_SSL_CAINFO": "git",
    "NODE_EXTRA_CA_CERTS": "Node.js",
    "NPM_CONFIG_CAFILE": "npm",
    "npm_config_cafile": "npm",
    "YARN_HTTPS_CA_FILE_PATH": "Yarn",
    "DENO_CERT": "Deno",
    "CARGO_HTTP_CAINFO": "Cargo",
    "AWS_CA_BUNDLE": Wording("AWS tools"),
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": Wording("Google Cloud tools"),
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": "gRPC",
    "CONDA_SSL_VERIFY": "conda",
    "COMPOSER_CAFILE": "Composer",
    "BUNDLE_SSL_CA_CERT": "Bundler",
    "HEX_CACERTS_PATH": "Hex",
    "JULIA_SSL_CA_ROOTS_PATH": "Julia",
    "PERL_LWP_SSL_CA_FILE": "Perl LWP",
    "HTTPS_CA_FILE": "Perl LWP",
    "SYSTEM_CERTIFICATE_PATH": Wording("programs in Haskell"),
}
"""Variables that name a file or a folder of roots, and whose they are."""

LISTS = frozenset({"SSL_CERT_DIR"})
"""Variables that name several, with colons between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile:
    """Files of one form, and the keys in them that name roots."""

    tool: str
    paths: tuple[str, ...]
    """`~` stands for a home folder; `*` as in `System.glob`."""
    keys: frozenset[str]
    """In lower case, with `_` for `-`."""
    section: str = ""
    """The first word of the head under which they count, "" if heads do not matter."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A line that names roots, or holds one."""

    key: str
    value: str


TOOLS = (
    SettingsFile(
        tool="git",
        paths=("/etc/gitconfig", "~/.gitconfig", "~/.config/git/config"),
        keys=frozenset({"sslcainfo", "sslcapath", "proxysslcainfo"}),
        section="http",
    ),
    SettingsFile(
        tool="npm",
        paths=("/etc/npmrc", "/usr/etc/npmrc", "/usr/local/etc/npmrc", "~/.npmrc"),
        keys=frozenset({"cafile", "ca", "ca[]"}),
    ),
    SettingsFile(
        tool="pip",
        paths=("/etc/pip.conf", "/etc/xdg/pip/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf"),
        keys=frozenset({"cert"}),
    ),
    SettingsFile(
        tool="curl",
        paths=("~/.curlrc", "~/.config/curlrc"),
        keys=frozenset({"cacert", "capath", "proxy_cacert", "proxy_capath"}),
    ),
    SettingsFile(
        tool="wget",
        paths=("/etc/wgetrc", "/usr/local/etc/wgetrc", "~/.wgetrc"),
        keys=frozenset({"ca_certificate", "ca_directory"}),
    ),
    SettingsFile(tool=Wording("AWS tools"), paths=("~/.aws/config",), keys=frozenset({"ca_bundle"})),
    SettingsFile(
        tool="Cargo",
        paths=("~/.cargo/config.toml", "~/.cargo/config"),
        keys=frozenset({"cainfo", "http.cainfo"}),
    ),
    SettingsFile(tool="conda", paths=("/etc/conda/.condarc", "~/.condarc"), keys=frozenset({"ssl_verify"})),
    SettingsFile(
        tool="Yarn",
        paths=("~/.yarnrc", "~/.yarnrc.yml"),
        keys=frozenset({"cafile", "cafilepath", "httpscafilepath"}),
    ),
    SettingsFile(tool="Bundler", paths=("~/.bundle/config",), keys=frozenset({"bundle_ssl_ca_cert"})),
)

SHELLS = SettingsFile(
    tool="",
    paths=(
        "/etc/environment",
        "/etc/environment.d/*.conf",
        "/etc/profile",
        "/etc/profile.d/*.sh",
        "/etc/bash.bashrc",
        "/etc/bashrc",
        "/etc/zsh/zshenv",
        "/etc/zshenv",
        "~/.config/environment.d/*.conf",
        "~/.pam_environment",
        "~/.profile",
        "~/.bash_profile",
        "~/.bashrc",
        "~/.zprofile",
        "~/.zshenv",
        "~/.zshrc",
    ),
    keys=frozenset(name.lower() for name in VARIABLES),
)
"""Where variables are set for good."""

MAX_SETTINGS = 100
"""Lines of one file that name roots; git may have one for each server."""

_HEAD = re.compile(r"\[{1,2}[ \t]*([A-Za-z0-9_.-]{0,64})[^\]]*\]{1,2}")
_LINE = re.compile(
    r"(?:export[ \t]+)?(?:--)?([A-Za-z0-9_./:\[\]-]{1,200}?)[\"']?(?:[ \t]*=|:(?=[ \t])|[ \t])"
)
_ESCAPES = {"n": "\n", "t": "\t"}


def settings_in(text: str, form: SettingsFile) -> Iterator[Setting]:
    """The lines of a file that name roots, at most `MAX_SETTINGS`."""
    section, count = "", 0
    for raw in text.splitlines():
        line = raw.strip()
        head = _HEAD.match(line)
        if head is not None:
            section, line = head[1].lower(), line[head.end() :].strip()
        found = _LINE.match(line)
        if found is None or (form.section and section != form.section):
            continue
        # npm has settings of one server: //registry.example/:cafile=...
        key = found[1].rpartition("/:")[2].lower().replace("-", "_")
        if key not in form.keys:
            continue
        value = _value(line[found.end() :].lstrip(" \t=:"))
        if value:
            yield Setting(found[1], value)
            count += 1
        if count == MAX_SETTINGS:
            return


def _value(text: str) -> str:
    """A value without its quotes and without a comment behind it."""
    quote = text[:1]
    if quote not in ('"', "'"):
        for sign in (";", " #", "\t#"):
            text = text.partition(sign)[0]
        return text.strip()
    said: list[str] = []
    signs = iter(text[1:])
    for sign in signs:
        if sign == quote:
            break
        if sign == "\\" and quote == '"':
            escaped = next(signs, "")
            said.append(_ESCAPES.get(escaped, escaped))
        else:
            said.append(sign)
    return "".join(said)
