"""The login page of a captive portal, at the access router."""

from kzmitm.lab.certificates.pki import Leaf
from kzmitm.lab.network.network import Network
from kzmitm.lab.network.origins import credential_files
from kzmitm.lab.network.processes import Port
from kzmitm.lab.network.topology import INSIDE
from kzmitm.lab.profile import Place

LOGIN = "login.wifi.lab.test"
HTTP, HTTPS = 8080, 8443

_CONFIGURATION = """\
daemon off;
user root root;
master_process off;
error_log stderr warn;
pid {folder}/portal.pid;
events {{ }}
http {{
  access_log off;
  default_type text/html;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  ssl_protocols TLSv1.2;
  server {{
    listen {http};
    listen [::]:{http};
    location / {{ return 302 https://{login}/; }}
  }}
{secure}}}
"""

_SECURE = """\
  server {{
    listen {https} ssl;
    listen [::]:{https} ssl;
    ssl_certificate {folder}/portal.pem;
    ssl_certificate_key {folder}/portal.key;
    location / {{ return 200 "<!doctype html><title>Welcome</title><h1>Please log in</h1>\\n"; }}
  }}
"""


def run_login_page(network: Network, *, with_https: bool) -> None:
    """Answer for every site in the clear, and with TLS if asked to, at the access router."""
    folder = network.folder("portal")
    files = credential_files("portal", network.public_ca.issue(Leaf(hostname=LOGIN)))
    for name, content in files.items():
        network.file(f"portal/{name}", content)
    secure = _SECURE.format(https=HTTPS, folder=folder) if with_https else ""
    text = _CONFIGURATION.format(folder=folder, http=HTTP, login=LOGIN, secure=secure)
    path = network.file("portal/nginx.conf", text.encode())
    argv = [network.program("nginx-light"), "-c", str(path), "-e", "stderr"]
    ports = (Port(HTTP), Port(HTTPS)) if with_https else (Port(HTTP),)
    network.start("portal", Place.ACCESS, argv, ports=ports)
    to_https = f'    iifname "{INSIDE}" tcp dport 443 redirect to :{HTTPS}\n' if with_https else ""
    network.nft(
        Place.ACCESS,
        "table inet kzmitm-portal {\n"
        "  chain prerouting {\n"
        "    type nat hook prerouting priority dstnat;\n"
        f'    iifname "{INSIDE}" tcp dport 80 redirect to :{HTTP}\n{to_https}'
        "  }\n}\n",
    )
