"""Judgments, measures and protocols: how good the answers are."""
