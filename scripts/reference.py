"""Writes docs/reference/ anew from the code: settings, commands, routes. A test holds the pages to it.

python scripts/reference.py [--into DIR]
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from nitari.cli.main import EXIT_CODES, cli
from nitari.server.app import openapi_document
from nitari.settings import Settings

NOTE = "<!-- Written by scripts/reference.py from the code; edit that. -->\n"


def main() -> None:
    """Write every page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=Path(__file__).parent.parent / "docs" / "reference")
    folder: Path = parser.parse_args().into
    folder.mkdir(parents=True, exist_ok=True)
    document = openapi_document()
    pages = {
        "settings.md": "\n".join(settings_page()),
        "cli.md": "\n".join(cli_page()),
        "api.md": "\n".join(api_page(document)),
        "openapi.json": json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True),
    }
    for name, text in pages.items():
        (folder / name).write_text(text.rstrip() + "\n", encoding="utf-8")


def settings_page() -> Iterator[str]:
    """All settings with defaults and what they mean."""
    yield "# Settings\n"
    yield NOTE
    yield (
        "Strongest first: arguments of a command, variables, `nitari.toml` in the home folder (or the file that "
        "`NITARI__CONFIG`\nnames), defaults. A variable is `NITARI__SECTION__KEY`, in the file it is `key` under "
        "`[section]`.\n"
    )
    yield from _settings_table("general", Settings, prefix="NITARI__")


def _settings_table(title: str, model: type[BaseModel], *, prefix: str) -> Iterator[str]:
    sections: list[tuple[str, type[BaseModel]]] = []
    yield f"\n## {title}\n"
    yield "| variable | default | meaning |\n|---|---|---|"
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            sections.append((name, kind))
            continue
        default = "(found out)" if field.default is PydanticUndefined else _shown(field.default)
        yield f"| `{prefix}{name.upper()}` | {default} | {_one_line(field.description or '')} |"
    for name, kind in sections:
        yield from _settings_table(name, kind, prefix=f"{prefix}{name.upper()}__")


def _shown(value: object) -> str:
    if value in (None, ()):
        return "none"
    if isinstance(value, tuple):
        value = ", ".join(map(str, value))
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("``", "`")).replace("|", "\\|").strip()


def cli_page() -> Iterator[str]:
    """Every command's help."""
    yield "# Commands\n"
    yield NOTE
    yield "```text\n" + EXIT_CODES.removeprefix("\b\n") + "\n```"
    yield from _commands(cli, click.Context(cli, info_name="nitari"), "nitari")


def _commands(group: click.Group, context: click.Context, path: str) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            continue
        below = click.Context(command, info_name=f"{path} {name}", max_content_width=100)
        yield f"\n## {path} {name}\n"
        yield "```text\n" + command.get_help(below).rstrip() + "\n```"
        if isinstance(command, click.Group):
            yield from _commands(command, below, f"{path} {name}")


def api_page(document: dict[str, Any]) -> Iterator[str]:
    """Every route: what goes in, what comes out, what can go wrong."""
    yield "# HTTP API\n"
    yield NOTE
    yield (
        "The same as the OpenAPI document that the server has at `/openapi.json` ([openapi.json](openapi.json)).\n"
        "Examples that are run as tests: [how-to/curl.md](../how-to/curl.md). Errors are RFC 9457 problems:\n"
        "`detail` says what was found and expected, `remedy` what to do, `code` is for programs.\n"
    )
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield from _operation(path, method, operation)
    yield "\n# Schemas"
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield from _schema(name, schema)


def _operation(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"\n## {method.upper()} {path}\n"
    yield f"**{operation.get('summary', '')}**\n"
    if operation.get("description"):
        yield operation["description"].strip() + "\n"
    for parameter in operation.get("parameters", []):
        text = _one_line(parameter.get("description", ""))
        yield f"- `{parameter['name']}` ({parameter['in']}, {_type(parameter.get('schema', {}))}) {text}".rstrip()
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"- takes `{media}`: {_type(content.get('schema', {}))}"
    for status, response in operation.get("responses", {}).items():
        kinds = ", ".join(f"`{m}` {_type(c.get('schema', {}))}" for m, c in response.get("content", {}).items())
        yield f"- {status}: {_one_line(response.get('description', ''))}{f' ({kinds})' if kinds else ''}"


def _schema(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"\n## {name}\n"
    yield _one_line(schema.get("description", "")) + "\n"
    required = set(schema.get("required", ()))
    if "properties" not in schema:
        return
    yield "| field | type | meaning |\n|---|---|---|"
    for field, found in schema["properties"].items():
        mark = " *" if field in required else ""
        yield f"| `{field}`{mark} | {_type(found)} | {_one_line(found.get('description', ''))} |"


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(_type(one) for one in schema[several]))
    if "enum" in schema or "const" in schema:
        return " or ".join(f"`{one}`" for one in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    limits = [f"{sign} {schema[key]}" for key, sign in (("minimum", ">="), ("maximum", "<=")) if key in schema]
    return f"{schema.get('format') or kind}{f' {chr(44).join(limits)}' if limits else ''}"


if __name__ == "__main__":
    main()
