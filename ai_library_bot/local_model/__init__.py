"""Embedding on this computer: a model in ONNX from a folder, or fetched once by its name."""

from ai_library_bot.local_model.embedder import LocalEmbedder as LocalEmbedder
