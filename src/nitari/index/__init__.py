"""Vectors to nearest keys."""
