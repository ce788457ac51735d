"""A collection's index as immutable sealed segments on disk and one live segment in memory."""
