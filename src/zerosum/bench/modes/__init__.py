"""The mode coverage bench: how many modes of a known law does a GAN find?"""
