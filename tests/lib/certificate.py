# SPDX-License-Identifier: Apache-2.0
"""Client certificates for the tests, and requests with them."""

import json
import time
from pathlib import Path

from cluster import run

CA_CONF = """
[ca]
default_ca = own
[own]
database = {dir}/index
new_certs_dir = {dir}
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
"""


class Certificate:
    """A self-signed pair in a new folder; good until `seconds` from now when given, else for a
    month; `begins` seconds from now."""

    def __init__(self, folder, name="client", seconds=None, begins=-60):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.crt, self.key, self.fingerprint = folder / "c.crt", folder / "c.key", None
        new = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
               "-keyout", self.key, "-subj", f"/CN={name}"]
        if seconds is None:
            run(*new, "-x509", "-days", "30", "-out", self.crt)
        else:
            self.sign(folder, new, begins, seconds)
        out = run("openssl", "x509", "-in", self.crt, "-noout", "-fingerprint", "-sha256").stdout
        self.fingerprint = out.split("=")[1].strip().replace(":", "").lower()

    def sign(self, folder, new, begins, seconds):
        def text(offset):
            return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + offset))
        (folder / "index").write_text("")
        (folder / "ca.conf").write_text(CA_CONF.format(dir=folder))
        run(*new, "-out", folder / "c.csr")
        run("openssl", "ca", "-batch", "-notext", "-selfsign", "-config", folder / "ca.conf", "-in", folder / "c.csr",
            "-keyfile", self.key, "-startdate", text(begins), "-enddate", text(seconds), "-out", self.crt)

    def curl(self, member, path, *args, at=None):
        """(status, JSON) of a request from a member's network to another's, or its own, address."""
        out = run(*member.in_netns("curl", "-sk", "-m", "30", "-w", "\n%{http_code}", "--cert", self.crt, "--key",
                                   self.key, "-H", "Content-Type: application/json", *args,
                                   f"https://{(at or member).address}{path}")).stdout
        body, code = out.rsplit("\n", 1)
        return int(code), json.loads(body)
