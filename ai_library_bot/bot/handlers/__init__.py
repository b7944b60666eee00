"""What the bot does with each kind of message: one router for each concern.

Handlers ask for what they need by its name: `library`, `people`, `talks`, `budget`, `answering` are services;
`say` speaks the person's language; `accepted` is the update in the inbox; `me` is the bot itself.
"""

from __future__ import annotations

from aiogram import Router

from ai_library_bot.bot.handlers import admin, inline, members, newbooks, questions, shelf, sources, welcome


def routers() -> tuple[Router, ...]:
    """All routers, in the order in which they are asked; the last one takes what none before has taken."""
    concerns = (welcome, members, admin, newbooks, shelf, sources, inline, questions)
    return tuple(concern.router() for concern in concerns)
