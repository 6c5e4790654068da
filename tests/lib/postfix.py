# SPDX-License-Identifier: Apache-2.0
"""Debian's Postfix with Dovecot's SASL, both with their own folder and loopback ports.

    with Postfix() as mta:
        ... smarthost: mta.smarthost, tls_config: {ca_file: mta.ca_file} ...
        wait_until(lambda: mta.mails())

STARTTLS on .port, TLS from the first byte on .tls_port; both demand TLS and a login. Who may log in:
ops / sesame-1 by PLAIN, LOGIN and CRAM-MD5, and by XOAUTH2 with the token "good-token". Mail for
belfry.test becomes a file each in .box. Both programs need root.
"""

import email
import email.policy
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import urllib.parse

from .net import GUARD_S, free_port, wait_until

MAIN_CF = """
compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = {dir}/postfix.log
maillog_file_prefixes = {dir}
myhostname = mta.belfry.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
mynetworks =
alias_maps =
alias_database =
local_recipient_maps =
local_transport = error:no local users
virtual_mailbox_domains = belfry.test
virtual_mailbox_base = {box}
virtual_mailbox_maps = inline:{{ ops@belfry.test=ops/, second@belfry.test=second/ }}
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
message_size_limit = {size_limit}
smtputf8_enable = yes
strict_7bit_headers = yes
disable_mime_input_processing = no
strict_mime_encoding_domain = yes
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = reject_unauth_destination, permit
smtpd_helo_required = yes
smtpd_helo_restrictions = reject_invalid_helo_hostname
smtpd_tls_cert_file = {dir}/cert.pem
smtpd_tls_key_file = {dir}/key.pem
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{auth_port}
smtpd_client_restrictions = permit_sasl_authenticated, reject
{more}
"""

MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt
127.0.0.1:{tls_port} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""

DOVECOT_CONF = """
base_dir = {dir}/dovecot
state_dir = {dir}/dovecot
log_path = {dir}/dovecot.log
protocols =
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 xoauth2 oauthbearer
passdb {{
  driver = passwd-file
  mechanisms = plain login cram-md5
  args = scheme=PLAIN {dir}/users
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {dir}/oauth2.conf
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}}
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {auth_port}
  }}
}}
"""

OAUTH2_CONF = """
tokeninfo_url = http://127.0.0.1:{token_port}/?token=
tokeninfo_url = http://127.0.0.1:{token_port}/?token=
introspection_mode = auth
username_attribute = user
"""


class _Tokens(http.server.BaseHTTPRequestHandler):
    """Says whose a token is, as an OAuth2 server does."""

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
        good = query.get("token") == ["good-token"]
        body = json.dumps({"user": "ops"} if good else {"error": "invalid_token"}).encode()
        self.send_response(200 if good else 400)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Postfix:
    @staticmethod
    def missing():
        """What keeps it from being run, or an empty string."""
        if os.geteuid() != 0:
            return "needs root"
        path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
        gone = [p for p in ("postfix", "dovecot", "openssl") if not shutil.which(p, path=path)]
        return f"not installed: {', '.join(gone)}" if gone else ""

    def __init__(self, size_limit=10 << 20, more=""):
        self.size_limit, self.more = size_limit, more

    @property
    def smarthost(self):
        return f"localhost:{self.port}"

    def __enter__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="belfry-postfix."))
        self.dir.chmod(0o755)
        self.box = self.dir / "box"
        for name in ("ops", "second"):
            (self.box / name).mkdir(parents=True)
            shutil.chown(self.box / name, 65534, 65534)
        self.port, self.tls_port, self.auth_port = free_port(), free_port(), free_port()
        self.ca_file = str(self.dir / "cert.pem")
        try:
            self._certificate()
            self._tokens = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Tokens)
            threading.Thread(target=self._tokens.serve_forever, daemon=True).start()
            self._start_dovecot()
            self._start_postfix()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _certificate(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                        "-keyout", str(self.dir / "key.pem"), "-out", self.ca_file],
                       check=True, capture_output=True)

    def _start_dovecot(self):
        (self.dir / "dovecot").mkdir()
        (self.dir / "users").write_text("ops:{PLAIN}sesame-1::::::\n")
        (self.dir / "oauth2.conf").write_text(
            OAUTH2_CONF.format(token_port=self._tokens.server_port))
        conf = self.dir / "dovecot.conf"
        conf.write_text(DOVECOT_CONF.format(dir=self.dir, auth_port=self.auth_port))
        self._dovecot = subprocess.Popen(["/usr/sbin/dovecot", "-F", "-c", str(conf)])
        wait_until(lambda: self._answers(self.auth_port), 10, "Dovecot")

    def _start_postfix(self):
        conf = self.dir / "conf"
        conf.mkdir()
        for name in ("queue", "data"):
            (self.dir / name).mkdir()
        shutil.chown(self.dir / "data", "postfix")
        (conf / "main.cf").write_text(MAIN_CF.format(
            dir=self.dir, box=self.box, auth_port=self.auth_port, size_limit=self.size_limit,
            more=self.more))
        (conf / "master.cf").write_text(MASTER_CF.format(port=self.port, tls_port=self.tls_port))
        # makes the queue's folders, then stays in the foreground
        subprocess.run(["/usr/sbin/postfix", "-c", str(conf), "check"], check=True,
                       capture_output=True)
        self._postfix = subprocess.Popen(["/usr/lib/postfix/sbin/master", "-c", str(conf), "-d"])
        wait_until(lambda: self._answers(self.port) and self._answers(self.tls_port), 10,
                   "Postfix")

    @staticmethod
    def _answers(port):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    def __exit__(self, *exc):
        for name in ("_postfix", "_dovecot"):
            process = getattr(self, name, None)
            if process:
                process.send_signal(signal.SIGTERM)
                process.wait(GUARD_S)
        if hasattr(self, "_tokens"):
            self._tokens.shutdown()
            self._tokens.server_close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def mails(self, who="ops"):
        """What arrived, oldest first, as email.message.EmailMessage."""
        found = sorted((self.box / who).glob("new/*"), key=lambda p: p.stat().st_mtime_ns)
        return [email.message_from_bytes(p.read_bytes(), policy=email.policy.default)
                for p in found]

    def log(self):
        return "".join((self.dir / name).read_text("utf-8", "replace")
                       for name in ("postfix.log", "dovecot.log") if (self.dir / name).exists())
