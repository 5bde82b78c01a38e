"""What a server writes to its log: our own records from INFO on, those of other packages from WARNING."""

import subprocess
import sys
from json import loads

SAYS = """
import logging
from serve.api.logs import log_as_json
log_as_json()
loud = logging.getLogger("bm25s")
loud.setLevel(logging.DEBUG)  # as that package does when it is imported
loud.debug("a question, word for word")
loud.warning("something is wrong")
logging.getLogger("serve.api").info("ours")
logging.getLogger("serve.api").debug("ours, but too much")
"""


def test_a_package_that_is_talkative_by_itself_is_not_written_down() -> None:
    done = subprocess.run([sys.executable, "-c", SAYS], capture_output=True, text=True, check=True)
    lines = [loads(line) for line in done.stderr.splitlines()]
    assert done.stdout == ""
    assert len(lines) == 2
    assert "bm25s" in str(lines[0])
    assert "something is wrong" not in str(lines[0])  # another package's words may hold anything
    assert "ours" in str(lines[1])
    assert "word for word" not in done.stderr
