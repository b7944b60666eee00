"""The librarian in Telegram; nothing but `library serve-bot` imports it.

    polling, web            updates come: fetched, or brought to a webhook
        ↓
    inbox                   each is written down, handled in a task of its own, and answered or excused
        ↓
    access                  who is speaking, in which language, and whether they may
        ↓
    handlers/               one router for each concern
        ↓
    answering               a question: its turn (turns), its price (budget), its preview (live), its answer
        ↓
    rendering, layout       what is said, as blocks; blocks as messages that Telegram takes
        ↓
    sending, outgoing       messages leave: no faster than Telegram takes them

What is remembered: store (a file or Redis), and on it people, talks and budget. assembly puts all of it together.
"""
