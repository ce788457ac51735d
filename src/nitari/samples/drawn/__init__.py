"""The drawn catalog: a shop of garments that a program draws, for demos and tests without any network."""
