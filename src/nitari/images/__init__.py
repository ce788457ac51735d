"""Image links to bytes, bytes to photos."""
