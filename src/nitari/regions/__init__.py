"""Photos to regions: where the product is."""
