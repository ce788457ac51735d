"""Feeds to catalog rows: what to do with each item, and doing it."""
