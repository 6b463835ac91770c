"""Games that learn what is normal, and say how unlike it an example is."""
