"""The ground every room stands on: settings, records, events, cards, the sentence encoder.

Imports no other room. Every room may import it.
"""

import os

__version__ = "0.1.0"

# Libraries that would tell their makers of their use, unless they are told not to before they load. ONNX Runtime 1.32
# does so by itself, and leaves a file ".ses" in the folder for temporary files.
os.environ |= dict.fromkeys(("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"), "1")
