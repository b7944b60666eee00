"""Talking to OpenAI, or to any server that speaks its protocol."""
