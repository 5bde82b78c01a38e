"""Retrieval: what is known about a finding, from notes whose every statement names its source."""
