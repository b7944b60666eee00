"""`--help` in the language of the interface: the texts under `help.` in `locales/`, laid out for any width."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from ai_library_bot.errors import BadRequest
from ai_library_bot.locales import Messages
from ai_library_bot.terminal import Page, Part

PROGRAM = "library"

_HEADING = "bold"
_NAME = "cyan"


class Command(TyperCommand):
    """A command that explains itself in the language of the interface, once `translate` has given it its texts."""

    say: Messages

    def get_help(self, ctx: Any) -> str:
        return _help(self, ctx.command_path, self.get_params(ctx), self.say)


class Group(TyperGroup):
    """A command with subcommands; for the rest like `Command`."""

    say: Messages

    def get_help(self, ctx: Any) -> str:
        return _help(self, ctx.command_path, self.get_params(ctx), self.say)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name = args[0]
        if name not in self.commands and not ctx.resilient_parsing:
            if meant := get_close_matches(name, self.commands, n=1):
                raise BadRequest("unknown_command_meant", name=name, meant=meant[0])
            raise BadRequest("unknown_command", name=name)
        return super().resolve_command(ctx, args)


def translate(command: Any, say: Messages, key: str = "") -> None:
    """Give the command and all below it their texts; `key` is its name in `locales/`, "books_remove" for instance."""
    command.say = say
    command.help = say(f"help.{key or PROGRAM}.about")
    for parameter in command.params:
        parameter.help = say(f"help.parameter.{parameter.name}")
        if f"help.metavar.{parameter.name}" in say:
            parameter.metavar = say(f"help.metavar.{parameter.name}")
    for name, child in getattr(command, "commands", {}).items():
        translate(child, say, f"{key}_{name}".replace("-", "_").strip("_"))


def _help(command: Command | Group, path: str, parameters: list[Any], say: Messages) -> str:
    arguments = [one for one in parameters if isinstance(one, TyperArgument)]
    options = [one for one in parameters if isinstance(one, TyperOption)]
    commands = command.commands if isinstance(command, Group) else {}
    key = "_".join(path.split()[1:]).replace("-", "_") or PROGRAM
    page = Page()
    with page.captured() as captured:
        page.write((command.help or "", _HEADING))
        page.write()
        usage = [path, *(one.metavar or "" for one in arguments)]
        if isinstance(command, Group):
            usage.append(f"[{say('help.command')}]" if command.invoke_without_command else say("help.command"))
        page.write((f"{say('help.usage')}: ", _HEADING), " ".join([*usage, say("help.any_options")]))
        _section(page, say("help.commands"), [((name, _NAME), one.help or "") for name, one in commands.items()])
        _section(page, say("help.arguments"), [((one.metavar or "", _NAME), one.help or "") for one in arguments])
        _section(page, say("help.options"), [((_names(one), _NAME), _meaning(one, say)) for one in options])
        page.write()
        page.write((say("help.examples"), _HEADING))
        for example in say(f"help.{key}.examples").strip().splitlines():
            page.write(example, indent=2)
    return captured.getvalue().rstrip("\n")


def _section(page: Page, heading: str, pairs: list[tuple[Part, str]]) -> None:
    if pairs:
        page.write()
        page.write((heading, _HEADING))
        page.definitions(pairs)


def _names(option: TyperOption) -> str:
    return " ".join([", ".join(option.opts), *([option.metavar] if option.metavar else [])])


def _meaning(option: TyperOption, say: Messages) -> str:
    return say("help.parameter.help") if option.name == "help" else option.help or ""
