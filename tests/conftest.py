"""What all tests share."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

from ai_library_bot.settings import Settings

# What somebody has set for a library of their own, a key above all, is nothing that a test may use.
for name in Settings.model_fields:
    os.environ.pop(name.upper(), None)

# How long an example takes says something about the machine, nothing about the property.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
