"""Chemistry that is no part of a GAN: molecules, scorers, QSAR, docking, a genetic algorithm."""
