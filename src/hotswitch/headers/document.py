"""The reference of headers and fields, as Markdown, from the declarations themselves."""

from __future__ import annotations

from collections.abc import Iterator

from hotswitch.headers.declaration import Header, Oxm
from hotswitch.headers.registry import FieldInfo, FieldKind, Registry

_COLUMNS = "| field | bits | written as | OXM | settable | |\n|---|---|---|---|---|---|"


def reference(registry: Registry) -> str:
    """All fields of all headers, header by header, outermost first."""
    return "\n".join(_lines(registry)) + "\n"


def _lines(registry: Registry) -> Iterator[str]:
    yield "### Beside the packet"
    yield ""
    yield _COLUMNS
    for info in registry.fields():
        if info.kind in (FieldKind.META, FieldKind.SPACE):
            yield _row(info, info.name)
    for layer in registry.layers.values():
        if layer.occurrence == 0:
            yield from _header_lines(registry, layer.header)


def _header_lines(registry: Registry, header: Header) -> Iterator[str]:
    yield ""
    yield f"### {header.name}: {header.title}"
    yield ""
    places = [f"`{each.space}` {each.key:#x}" for each in header.under]
    facts = [f"Under {', '.join(places)}." if places else "The start of every frame."]
    if header.select:
        facts.append(f"Selects in `{header.select.space}`.")
    if header.repeat > 1:
        names = [f"`{each.name}`" for each in registry.layers.values() if each.header is header]
        facts.append(f"Recorded as {', '.join(names)}.")
    facts.append(f"{header.source}.")
    yield " ".join(facts)
    yield ""
    yield _COLUMNS
    for each in header.fields:
        yield _row(registry.field(f"{header.name}.{each.name}"), each.name)


def _row(info: FieldInfo, name: str) -> str:
    settable = "yes" if info.settable else ""
    cells = (f"`{name}`", str(info.width), info.text.name, _code(info.oxm), settable, info.doc)
    return f"| {' | '.join(cells)} |"


def _code(oxm: Oxm | None) -> str:
    if oxm is None:
        return ""
    return str(oxm.code) if oxm.oxm_class == 0x8000 else f"NXM {oxm.oxm_class}:{oxm.code}"
