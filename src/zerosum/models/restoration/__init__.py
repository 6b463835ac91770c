"""Sharper and whole pictures: super-resolution, inpainting, colour."""
