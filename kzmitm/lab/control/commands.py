"""How commands are started in a laboratory: our own modules, and the environment they get."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def search_path() -> str:
    """The user's PATH and the folders in which Debian keeps programs that only root is expected to use."""
    here = str(Path(sys.executable).parent)  # where `kzmitm` is, if it was installed with this interpreter
    return f"{here}:{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def environment_inside(base: Mapping[str, str]) -> dict[str, str]:
    """The user's environment as a command inside gets it, less what would turn its trust or its proxies."""
    unwanted = {
        "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "http_proxy", "https_proxy",
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy", "SSLKEYLOGFILE",
    }  # fmt: skip
    kept = {name: value for name, value in base.items() if name not in unwanted}
    return kept | {"PATH": search_path()}


def module_command(module: str, *words: str) -> list[str]:
    """The words that run one of our modules with this very interpreter.

    `-P`: not what happens to lie in the folder where the user stands.
    """
    return [sys.executable, "-P", "-m", module, *words]


def module_environment(base: Mapping[str, str]) -> dict[str, str]:
    """An environment in which this very package is found, installed or not."""
    here = str(Path(__file__).resolve().parents[3])
    paths = [here, *filter(None, [base.get("PYTHONPATH")])]
    return {**base, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
