"""Training: from feeds to the networks, heads and tables that the model cards name."""
