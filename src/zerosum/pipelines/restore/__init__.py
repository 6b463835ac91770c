"""Pictures made better: enlarged, filled in, coloured."""
