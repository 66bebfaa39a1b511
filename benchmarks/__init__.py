"""Benchmarks: how fast the product answers, as ratios to a floor measured in the same run."""
