"""Overread as an application: OpenAI's API, studies, health, metrics, and what is mounted beside them."""
