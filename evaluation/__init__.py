"""Measures the rest: speed, guardrails, models. Nothing imports this room but the command line."""
