"""The control protocol of `ovs-appctl` (unixctl): commands by name, texts in, a text out.

    {"id": 0, "method": "vlog/set", "params": ["dbg"]}
    {"id": 0, "result": "", "error": null}

With `set-options --format json` a client has its texts wrapped, from then on:

    {"id": 1, "result": {"reply-format": "plain", "reply": "…"}, "error": null}

Programs that want values, not text, send one object instead and get JSON. No I/O in here. Any room
adds its commands to the one `Commands`; each connection has its `Conversation`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from hotswitch.base.errors import HotswitchError
from hotswitch.base.shorten import shorten
from hotswitch.ovsdb.jsonrpc import Reply, Request

Run = Callable[[Sequence[str]], str | Awaitable[str]]
Call = Callable[[Mapping[str, Any]], Awaitable[Any]]

_LIST = "list-commands"
_SET_OPTIONS = "set-options"

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


@dataclass(slots=True)
class Conversation:
    """What one client has said of itself. in_json: it wants JSON in the place of texts."""

    in_json: bool = False


class Commands:
    """The commands of one control socket."""

    def __init__(self, version: str) -> None:
        self._by_name: dict[str, Command] = {}
        self._calls: dict[str, Call] = {}
        self.add(_LIST, "", 0, 0, lambda _: self._list())
        self.add(_SET_OPTIONS, "[--format text|json]", 0, 2, lambda _: "")
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

    async def answer(self, request: Request, conversation: Conversation | None = None) -> Reply:
        """Carry a request out. Never raises: a bug is logged, and answered as such."""
        conversation = conversation or Conversation()
        is_call = len(request.params) == 1 and isinstance(request.params[0], dict)
        end = "" if is_call else "\n"
        try:
            result = await (self._call(request) if is_call else self._run(request, conversation))
        except HotswitchError as error:
            return Reply(None, shorten(f"{error}{end}", _texts(request)), request.id)
        except Exception:
            _log.exception("a command failed for a reason that is a bug: %s", request.method)
            return Reply(None, f"internal error (the log has the details){end}", request.id)
        return Reply(result, None, request.id)

    async def _call(self, request: Request) -> Any:
        call = self._calls.get(request.method)
        if call is None:
            raise CommandError(f'"{request.method}" takes no object')
        return await call(request.params[0])

    async def _run(self, request: Request, conversation: Conversation) -> Any:
        if request.method == _SET_OPTIONS:
            conversation.in_json = _wants_json(request.params)
        command, arguments = self._find(request)
        if conversation.in_json and command.name == _LIST:
            return {each.name: each.usage for each in self._by_name.values()}
        result = command.run(arguments)
        text = result if isinstance(result, str) else await result
        return {"reply-format": "plain", "reply": text} if conversation.in_json else text

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


def _texts(request: Request) -> Iterator[str]:
    """What was given, as far as a message may repeat it."""
    yield request.method
    for each in request.params:
        values = each.values() if isinstance(each, dict) else [each]
        yield from (value for value in values if isinstance(value, str))


def _wants_json(words: Sequence[Any]) -> bool:
    """What `--format` says, the last time; text if nothing. Raises CommandError."""
    given = [part for word in words for part in str(word).split("=", 1)]
    wanted = "text"
    for option, value in zip_longest(given[::2], given[1::2]):
        if option not in ("--format", "-f"):
            raise CommandError(f'unrecognized option "{option}"')
        if value is None:
            raise CommandError(f'option "{option}" requires an argument')
        wanted = value.lower()
        if wanted not in ("text", "json"):
            raise CommandError(f"option format has invalid value {value}")
    return wanted == "json"
