"""Overread as an A2A agent: a card that says what it does, and tasks that stream."""
