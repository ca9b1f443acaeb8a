"""Byline: training-time provenance for generative models."""
