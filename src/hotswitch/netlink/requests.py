"""What a request has to be, beyond being a message: asked in a way that the command can be."""

from __future__ import annotations

import errno

from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.controller import CONTROLLER
from hotswitch.netlink.family import DO, DUMP
from hotswitch.netlink.flags import DUMP as DUMP_FLAG
from hotswitch.netlink.flags import REQUEST
from hotswitch.netlink.message import Message


def is_dump(message: Message) -> bool:
    """Whether a request asks for a listing. (In a NEW request these bits mean other things.)"""
    command = message.family.by_name[message.command]
    asks = message.flags & DUMP_FLAG == DUMP_FLAG
    return asks and bool(command.flags & DUMP)


def check_request(message: Message) -> None:
    """Refuse a message that is no request, or that its command can't be asked by.

    Raises NetlinkError: EOPNOTSUPP for a command that is never asked, or that does not list;
    EINVAL for an attribute that is missing, with `missing`.
    """
    command = message.family.by_name[message.command]
    if not message.flags & REQUEST:
        raise NetlinkError("this is not a request")
    if is_dump(message):
        return
    if not command.flags & DO:
        what = "is only asked as a dump" if command.flags & DUMP else "is not asked"
        raise NetlinkError(f"{message.family.name}: {command.name} {what}", errno=errno.EOPNOTSUPP)
    for name in command.needs:
        if name not in message.attributes:
            number = message.family.attributes.by_name[name].number
            raise NetlinkError(f"{name} is missing", missing=number)
    if message.family is CONTROLLER and not {"family_id", "family_name"} & {
        *message.attributes.names
    }:
        raise NetlinkError("family_id or family_name is missing", missing=2)


def unsupported(message: Message) -> NetlinkError:
    """The refusal of what nobody here does."""
    return NetlinkError(
        f"{message.family.name}: {message.command} is not supported", errno=errno.EOPNOTSUPP
    )
