"""The control protocol of `ovs-appctl` (unixctl): commands by name, texts in, a text out.

    {"id": 0, "method": "vlog/set", "params": ["dbg"]}
    {"id": 0, "result": "", "error": null}

Programs that want values, not text, send one object instead and get JSON. No I/O in here. Any room
adds its commands to the one `Commands`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hotswitch.base.errors import HotswitchError
from hotswitch.ovsdb.jsonrpc import Reply, Request

Run = Callable[[Sequence[str]], str | Awaitable[str]]
Call = Callable[[Mapping[str, Any]], Awaitable[Any]]

_log = logging.getLogger(__name__)


class CommandError(HotswitchError):
    """A command that can't be carried out."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    usage: its arguments, for `list-commands`. minimum, maximum: how many of them.
    run: takes them, returns the text to show; raises HotswitchError.
    """

    name: str
    usage: str
    minimum: int
    maximum: int
    run: Run


class Commands:
    """The commands of one control socket."""

    def __init__(self, version: str) -> None:
        self._by_name: dict[str, Command] = {}
        self._calls: dict[str, Call] = {}
        self.add("list-commands", "", 0, 0, lambda _: self._list())
        self.add("version", "", 0, 0, lambda _: f"{version}\n")

    def add(self, name: str, usage: str, minimum: int, maximum: int, run: Run) -> None:
        """Register a command, in the place of one of the same name."""
        self._by_name[name] = Command(name, usage, minimum, maximum, run)

    def add_call(self, name: str, call: Call) -> None:
        """Register what takes one object and returns any JSON value but null.

        It may have the name of a command in text. It raises HotswitchError.
        """
        self._calls[name] = call

    def __contains__(self, name: str) -> bool:
        """Whether there is a command in text of that name."""
        return name in self._by_name

    async def answer(self, request: Request) -> Reply:
        """Carry a request out. Never raises: a bug is logged, and answered as such."""
        is_call = len(request.params) == 1 and isinstance(request.params[0], dict)
        end = "" if is_call else "\n"
        try:
            result = await (self._call if is_call else self._run)(request)
        except HotswitchError as error:
            return Reply(None, f"{error}{end}", request.id)
        except Exception:
            _log.exception("a command failed for a reason that is a bug: %s", request.method)
            return Reply(None, f"internal error (the log has the details){end}", request.id)
        return Reply(result, None, request.id)

    async def _call(self, request: Request) -> Any:
        call = self._calls.get(request.method)
        if call is None:
            raise CommandError(f'"{request.method}" takes no object')
        return await call(request.params[0])

    async def _run(self, request: Request) -> str:
        command, arguments = self._find(request)
        result = command.run(arguments)
        return result if isinstance(result, str) else await result

    def _find(self, request: Request) -> tuple[Command, list[str]]:
        name, arguments = request.method, request.params
        command = self._by_name.get(name)
        if command is None:
            raise CommandError(
                f'"{name}" is not a valid command '
                '(use "list-commands" to see a list of valid commands)'
            )
        if len(arguments) < command.minimum:
            raise CommandError(f'"{name}" command requires at least {command.minimum} arguments')
        if len(arguments) > command.maximum:
            raise CommandError(f'"{name}" command takes at most {command.maximum} arguments')
        if not all(isinstance(each, str) for each in arguments):
            raise CommandError(f'"{name}" command has non-string argument')
        return command, arguments

    def _list(self) -> str:
        lines = [f"  {each.name:<23} {each.usage}" for _, each in sorted(self._by_name.items())]
        return "\n".join(["The available commands are:", *lines, ""])
