"""Help texts as plain text, options in groups: the same on every terminal and with every version of Typer."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand, TyperGroup

MESSAGES = "Messages"
"""The group of options that has --help where there is one."""

COLUMN = 22
"""Blanks before the text about an option; a longer option has its text on the next line."""


class Command(TyperCommand):
    """A command whose help groups options by their help panel, in the order in which they are declared."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write usage, description, arguments and groups of options."""
        parameters = [one for one in self.get_params(ctx) if not getattr(one, "hidden", False)]
        arguments = [one for one in parameters if one.param_type_name == "argument"]
        groups: dict[str, list[tuple[str, str]]] = {}
        if arguments:
            groups["Arguments"] = [(_argument(one), getattr(one, "help", None) or "") for one in arguments]
        for one in parameters:
            if one.param_type_name != "argument":
                title = MESSAGES if "--help" in one.opts and MESSAGES in groups else "Options"
                groups.setdefault(_panel(one, title), []).append((_option(one), getattr(one, "help", None) or ""))
        needed = [_option(one) for one in parameters if one.required and one.param_type_name != "argument"]
        usage = " ".join([ctx.command_path, "[OPTIONS]", *needed, *(_argument(one) for one in arguments)])
        formatter.write(_page(usage, self.help or "", groups, formatter.width))


class Group(TyperGroup):
    """A group of commands whose help lists these by their help panel."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write usage, description, commands and options."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            about = (command.help or "").strip().partition("\n\n")[0]
            groups.setdefault(_panel(command, "Commands"), []).append((name, about))
        options = [one for one in self.get_params(ctx) if one.param_type_name != "argument"]
        groups["Options"] = [(_option(one), getattr(one, "help", None) or "") for one in options]
        formatter.write(_page(f"{ctx.command_path} COMMAND ...", self.help or "", groups, formatter.width))


def _panel(one: Any, default: str) -> str:
    return getattr(one, "rich_help_panel", None) or default


def _argument(one: Any) -> str:
    """Return an argument as usage lines have it: ``FILE...``, ``[DIR...]``."""
    name = (one.metavar or one.name.upper()) + ("..." if one.nargs == -1 else "")
    return name if one.required else f"[{name}]"


def _option(one: Any) -> str:
    """Return an option with all its names and its value: ``-o, --output OUT``."""
    names = ", ".join([*sorted(one.opts, key=len), *one.secondary_opts])
    return names if one.is_flag or not one.metavar else f"{names} {one.metavar}"


def _page(usage: str, about: str, groups: dict[str, list[tuple[str, str]]], width: int) -> str:
    """Lay out a help text in lines of at most `width` characters; what is indented by four blanks stays as it is."""
    parts = [_filled("Usage: ", usage, width)]
    if about:
        paragraphs = inspect.cleandoc(about).split("\n\n")
        parts += [one if one.startswith("    ") else _filled("  ", " ".join(one.split()), width) for one in paragraphs]
    parts += [f"{title}:\n{_definitions(rows, width)}" for title, rows in groups.items()]
    return "\n\n".join(parts) + "\n"


def _filled(head: str, text: str, width: int) -> str:
    return textwrap.fill(text, width, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False)


def _definitions(rows: Sequence[tuple[str, str]], width: int) -> str:
    column = min(max(len(name) for name, _ in rows) + 4, COLUMN + 2)
    lines = []
    for name, text in rows:
        head = f"  {name}".ljust(column)
        if len(head) > column - 2 and len(head.rstrip()) > column - 2:
            lines.append(head.rstrip())
            head = " " * column
        lines.append(_filled(head, " ".join(text.split()), width) if text else head.rstrip())
    return "\n".join(lines)
