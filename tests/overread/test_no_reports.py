"""Nothing tells its maker that it is used here."""

import os
import subprocess
import sys
from pathlib import Path

READ = """
import numpy as np
from guardrails.phi.pixels import TextReader
TextReader().read(np.zeros((64, 64, 3), np.uint8))
"""


def test_onnx_runtime_keeps_no_session_to_report(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", READ], check=True, env={**kept, "TMPDIR": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []
