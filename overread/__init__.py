"""The ground every room stands on: settings, records, events, cards, the sentence encoder.

Imports no other room. Every room may import it.
"""

__version__ = "0.1.0"
