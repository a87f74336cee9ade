"""TLS for `ssl:` and `pssl:`, as Open vSwitch does it: certificates are verified against one
authority, names are not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from hotswitch.ovsdb.remotes import Connect, RemoteError

_VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
_PEM = 1
"""The encoding of `public_bytes` in the ssl module's own certificates."""
_LONGEST_FILE = 1 << 20


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of PEM files, and what is allowed.

    authority: who has signed the peers' certificates; "none": they are not verified.

    bootstrap: take the authority's certificate from the first server that is called, if its file
        is missing; no good against an attacker who is in between that first time.
    protocols: of TLSv1.2 and TLSv1.3, separated by commas or blanks; both if empty.
    ciphers: in OpenSSL's words (up to TLSv1.2); the library's own choice if empty.
    """

    private_key: str
    certificate: str
    authority: str
    bootstrap: bool = False
    protocols: str = ""
    ciphers: str = ""

    @property
    def lacks_authority(self) -> bool:
        """Whether the authority's certificate is still to be had from a server."""
        return bool(
            self.bootstrap
            and self.authority not in ("", "none")
            and not Path(self.authority).exists()
        )

    def context(self, *, server: bool) -> ssl.SSLContext:
        """Return what a listener or a client of it needs. Raises RemoteError."""
        protocol = ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT
        context = ssl.SSLContext(protocol)
        _restrict(context, self.protocols, self.ciphers)
        context.check_hostname = False
        if not self.authority:
            raise RemoteError("TLS needs the certificate of an authority", remedy='or "none"')
        verifies = self.authority != "none" and (server or not self.lacks_authority)
        context.verify_mode = ssl.CERT_REQUIRED if verifies else ssl.CERT_NONE
        path = self.certificate
        try:
            context.load_cert_chain(self.certificate, self.private_key)
            if verifies:
                path = self.authority
                context.load_verify_locations(self.authority)
        except OSError as error:  # what the library says of a bad file is one, too
            wrong = self._wrong_kind() or f"can't use {path} for TLS: {explain(error)}"
            raise RemoteError(wrong) from error
        return context

    def _wrong_kind(self) -> str:
        """Say which file holds something else than it should: the library does not."""
        for path, what in (
            (self.certificate, "certificate"),
            (self.private_key, "private key"),
            (self.authority, "certificate"),
        ):
            # Whatever can't be read has been complained of already.
            with contextlib.suppress(OSError, ValueError), Path(path).open("rb") as file:
                if f"{what}-----".upper().encode() not in file.read(_LONGEST_FILE):
                    return f"can't use {path} for TLS: it holds no {what} in PEM"
        return ""

    def check(self) -> None:
        """Raise RemoteError if it is no good, as far as it is known before there is a database."""
        if not any(each.startswith("db:") for each in self._files()):
            self.context(server=False)

    def fingerprint(self) -> tuple[object, ...]:
        """Return what differs when one of the files has changed."""
        return tuple(map(_fingerprint, self._files()))

    def _files(self) -> tuple[str, ...]:
        return self.private_key, self.certificate, self.authority

    def keep_authority(self, connection: Any) -> str:
        """Keep the authority that a server has shown, as Open vSwitch's stream-ssl.c does.

        connection: of the ssl module, its handshake done. Returns the certificate's subject.
        Raises RemoteError.
        """
        chain = _chain(connection)
        if not chain:
            raise RemoteError("the server has shown no certificate")
        last = chain[-1]
        about = last.get_info()
        if about["subject"] != about["issuer"]:
            raise RemoteError(
                "the server has not shown the certificate of its authority",
                remedy="give --ca-cert, or have the server send the whole chain",
            )
        path = Path(self.authority)
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444), "wb") as file:
                file.write(last.public_bytes(_PEM).encode())
        except OSError as error:
            raise RemoteError(f"can't write {path}: {error.strerror or error}") from error
        return ", ".join(f"{name}={value}" for part in about["subject"] for name, value in part)


async def take_authority(tls: Tls, server: Connect) -> str:
    """Call a server only to see its authority, and keep that; see `Tls.keep_authority`.

    Raises OSError or RemoteError.
    """
    transport, _ = await asyncio.get_running_loop().create_connection(
        asyncio.Protocol,
        server.address,
        server.port,
        ssl=tls.context(server=False),
        server_hostname="",
    )
    try:
        return tls.keep_authority(transport.get_extra_info("ssl_object"))
    finally:
        transport.abort()


def explain(error: BaseException) -> str:
    """Say in a few words why a connection could not be made, or is over."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        reason = getattr(error, "reason", None)  # not always there
        return reason.lower().replace("_", " ") if reason else ", ".join(map(str, error.args))
    if isinstance(error, TimeoutError) and not error.errno:
        return "timed out"
    if isinstance(error, OSError):
        with contextlib.suppress(ValueError, TypeError):
            if error.errno and error.errno > 0:
                return os.strerror(error.errno)
        return error.strerror or str(error) or type(error).__name__
    return str(error) or type(error).__name__


def _restrict(context: ssl.SSLContext, protocols: str, ciphers: str) -> None:
    names = protocols.replace(",", " ").split() or list(_VERSIONS)
    unknown = [each for each in names if each not in _VERSIONS]
    if unknown:
        raise RemoteError(f"{unknown[0]!r} is no TLS protocol here", remedy="TLSv1.2, TLSv1.3")
    versions = sorted(_VERSIONS[each] for each in names)
    context.minimum_version, context.maximum_version = versions[0], versions[-1]
    if ciphers:
        try:
            context.set_ciphers(ciphers)
        except ssl.SSLError as error:
            raise RemoteError(f"{ciphers!r} names no TLS cipher: {explain(error)}") from error


def _fingerprint(path: str) -> object:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _chain(connection: Any) -> Sequence[Any]:
    """The peer's certificates as it sent them; public in the ssl module from Python 3.13 on."""
    inner = connection._sslobj
    while not hasattr(inner, "get_unverified_chain"):
        inner = inner._sslobj
    return cast(Sequence[Any], inner.get_unverified_chain() or ())
