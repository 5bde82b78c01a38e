"""Promptable segmentation: SAM by card, one predictor, its uncertainty, and automatic masks."""
