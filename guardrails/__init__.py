"""Guardrails: identity stays in, claims are checked, and a question that should be refused is refused.

Nothing leaves Overread but through ``guardrails.gate.Gate``.
"""
