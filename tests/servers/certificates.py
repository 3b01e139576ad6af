"""An authority of our own, contexts for a server that it vouches for and for a client that trusts it."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme


class Certificates:
    def __init__(self, *names: str) -> None:
        self._authority = trustme.CA()
        self._certificate = self._authority.issue_cert(*(names or ("localhost", "127.0.0.1")))

    def server(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._certificate.configure_cert(context)
        return context

    def client(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        return context

    def write_authority(self, path: Path) -> None:
        """The file that SSL_CERT_FILE would name."""
        self._authority.cert_pem.write_to_path(path)
