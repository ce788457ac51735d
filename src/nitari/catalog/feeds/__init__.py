"""One file for each family of feed formats, and what they share: text, values, columns."""
