"""Sample catalogs: drawn by program, or fetched from their public origin."""
