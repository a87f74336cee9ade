"""The one error that this package declares."""

from __future__ import annotations

import errno
import os

from hotswitch.base.errors import HotswitchError

ENOTSUPP = 524
"""The kernel's own "not supported" (include/linux/errno.h); libc has no text for it."""

_REMEDIES = {
    errno.EPERM: "needs root or CAP_BPF and CAP_NET_ADMIN",
    errno.EACCES: "needs root or CAP_BPF and CAP_NET_ADMIN",
    errno.ENOSYS: "needs a Linux kernel with BPF",
    errno.ENOMEM: "the machine is short of memory",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENODEV: "the device has gone",
}


class KernelError(HotswitchError):
    """The kernel refused something, or lacks it.

    errno: the error number, or 0 where there is none.
    attempt: what was attempted, as a verb phrase.
    """

    def __init__(self, attempt: str, number: int = 0, *, remedy: str = "") -> None:
        super().__init__(
            f"{attempt}: {_text(number)}" if number else attempt,
            remedy=remedy or _REMEDIES.get(number, ""),
        )
        self.errno = number
        self.attempt = attempt

    @property
    def answer(self) -> str:
        """What the kernel said, for those who have said already what was attempted."""
        if not self.errno:
            return str(self)
        return f"{_text(self.errno)} ({self.remedy})" if self.remedy else _text(self.errno)


def _text(number: int) -> str:
    return "not supported by this kernel" if number == ENOTSUPP else os.strerror(number)


class VerifierError(KernelError):
    """The verifier refused a program; `log` is what it said."""

    def __init__(self, attempt: str, number: int, log: str) -> None:
        super().__init__(attempt, number)
        self.remedy = ""  # EACCES is about what the program does, not about who loads it
        self.log = log

    @property
    def reason(self) -> str:
        """The verifier's last words, without its statistics: mostly the reason."""
        lines = [
            line for line in self.log.splitlines() if line and not line.startswith("processed")
        ]
        return lines[-1] if lines else ""

    def __str__(self) -> str:
        return f"{super().__str__()}: {self.reason}" if self.reason else super().__str__()


class LinkError(KernelError):
    """A compiled object can't be made into a program: what is in it has no place in one."""
