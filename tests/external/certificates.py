"""Throw-away authorities, and certificates signed by them, with the command `openssl`."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_NEW = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True)
class Identity:
    """A private key, a certificate for it, and who has signed that."""

    key: Path
    certificate: Path
    authority: Path

    @property
    def options(self) -> tuple[str, ...]:
        """For any of Open vSwitch's programs, and hotswitchd."""
        return (
            f"--private-key={self.key}",
            f"--certificate={self.certificate}",
            f"--ca-cert={self.authority}",
        )

    @property
    def words(self) -> str:
        """For `ovs-vsctl set-ssl`."""
        return f"{self.key} {self.certificate} {self.authority}"


class Authority:
    """Signs what it is asked to."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        subject = ("-subj", f"/CN={name}")
        self._openssl("req", "-x509", *_NEW, *subject, "-keyout", f"{name}.key", "-out", self._pem)

    @property
    def certificate(self) -> Path:
        return self._folder / self._pem

    @property
    def _pem(self) -> str:
        return f"{self._name}.pem"

    def issue(self, name: str, *, chain: bool = False) -> Identity:
        """A certificate for `name`; with `chain` its file holds the authority's, too."""
        subject = ("-subj", f"/CN={name}")
        self._openssl("req", *_NEW, *subject, "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signer = ("-CA", self._pem, "-CAkey", f"{self._name}.key", "-CAcreateserial")
        self._openssl("x509", "-req", "-in", f"{name}.csr", *signer, "-out", f"{name}.pem")
        path = self._folder / f"{name}.pem"
        if chain:
            path.write_text(path.read_text() + self.certificate.read_text())
        return Identity(self._folder / f"{name}.key", path, self.certificate)

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self._folder, check=True, capture_output=True)
