"""One task each on a saved model."""
