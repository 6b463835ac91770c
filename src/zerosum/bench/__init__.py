"""Benchmarks: comparisons of many trainings, each one command."""
