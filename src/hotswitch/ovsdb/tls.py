"""TLS for `ssl:` and `pssl:`, as Open vSwitch does it: certificates are verified against one
authority, names are not."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from hotswitch.ovsdb.remotes import RemoteError


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of PEM files. Without an authority, peers are not verified."""

    private_key: str
    certificate: str
    authority: str = ""

    def context(self, *, server: bool) -> ssl.SSLContext:
        """Return what a listener or a client of it needs. Raises RemoteError."""
        protocol = ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED if self.authority else ssl.CERT_NONE
        path = self.certificate
        try:
            context.load_cert_chain(self.certificate, self.private_key)
            if self.authority:
                path = self.authority
                context.load_verify_locations(self.authority)
        except OSError as error:  # what the library says of a bad file is one, too
            raise RemoteError(f"can't use {path} for TLS: {error}") from error
        return context
