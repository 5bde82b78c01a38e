"""The settings under deploy/vllm are what vLLM's own parser takes, and what docs/llm.md and Overread rely on."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

# The first test waits for the packages.
pytestmark = pytest.mark.timeout(1_500)

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "deploy" / "vllm").glob("*.yaml"))

PARSE = """
import json, sys
from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.tool_parsers import ToolParserManager
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = make_arg_parser(FlexibleArgumentParser())
for path in sys.argv[1:]:
    args = parser.parse_args(["serve", "--config", path])
    validate_parsed_serve_args(args)
    if args.tool_call_parser:
        ToolParserManager.get_tool_parser(args.tool_call_parser)
    print("PARSED " + json.dumps({
        "model": args.model, "caching": args.enable_prefix_caching, "tools": args.tool_call_parser,
        "images": args.limit_mm_per_prompt["image"], "logprobs": args.max_logprobs, "host": args.host,
        "backend": args.structured_outputs_config.backend, "media": args.allowed_media_domains,
        "code": args.trust_remote_code, "logged": args.enable_log_requests,
    }))
"""


def test_there_is_a_general_and_a_medical_model() -> None:
    assert [path.stem for path in FILES] == ["medgemma", "qwen3-vl"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_says_where_the_model_and_its_licence_are(path: Path) -> None:
    text = path.read_text("utf-8")
    assert f"https://huggingface.co/{yaml.safe_load(text)['model']}" in text
    assert path.name in (ROOT / "docs" / "llm.md").read_text("utf-8")


@pytest.fixture(scope="session")
def parsed(
    vllm_packages: Path, vllm_environment: Any, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    """What vLLM made of each file, in order."""
    done = subprocess.run(
        [sys.executable, "-c", PARSE, *map(str, FILES)],
        capture_output=True, text=True, timeout=280, check=False,
        env=vllm_environment(vllm_packages, tmp_path_factory.mktemp("parse")),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    return [json.loads(line.removeprefix("PARSED ")) for line in done.stdout.splitlines() if line.startswith("PARSED ")]


def test_vllm_takes_every_file(parsed: list[dict[str, Any]]) -> None:
    assert [one["model"] for one in parsed] == ["google/medgemma-1.5-4b-it", "Qwen/Qwen3-VL-8B-Instruct"]
    for one in parsed:
        assert one["caching"] is True
        assert one["backend"] == "xgrammar"
        assert one["logprobs"] >= 1
        assert one["host"] == "127.0.0.1"
        assert one["media"] == ["nowhere.invalid"]
        assert not one["code"]
        assert not one["logged"]
    assert [one["tools"] for one in parsed] == [None, "hermes"]


def test_no_more_pictures_are_sent_than_are_taken(parsed: list[dict[str, Any]]) -> None:
    taken = [one["images"] if isinstance(one["images"], int) else one["images"]["count"] for one in parsed]
    assert taken == [4, 4]
