import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Overread = Callable[..., "subprocess.CompletedProcess[str]"]

HEAVY = {"torch", "gradio", "numpy", "langgraph", "pydantic", "presidio_analyzer", "transformers", "PIL", "yaml"}


def test_help_lists_what_exists_and_shows_examples(overread: Overread) -> None:
    done = overread("--help")
    assert done.returncode == 0
    assert "overread ask chest.jpg" in done.stdout
    listed = re.findall(r"^  (\w+) ", done.stdout.split("Commands:")[1], re.M)
    assert {"ask", "chat", "doctor", "models"} <= set(listed)
    for command in listed:
        assert "Examples:" in overread(command, "--help").stdout, command


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; sys.argv = ['overread', '--help']\nfrom serve.cli import main\n"
    code += "try:\n    main()\nexcept SystemExit:\n    print('LOADED', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split("LOADED")[1].split())


def test_version(overread: Overread) -> None:
    assert re.fullmatch(r"overread \d+\.\d+\.\d+\n", overread("--version").stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["aks"],
        ["ask"],
        ["ask", "--jsn", "what?"],
        ["ask", "what?", "--frame", "x"],
        ["ask", "what?", "--frame", "-2"],
        ["ask", "what?", "--thread", "a b"],
        ["ask", "what?", "--context", "age_band=12"],
        ["ask", "DOE.png", "what?", "--json"],
        ["ask", ""],
        ["ask", "what?", "--overlay", "seen.jpg"],
        ["ask", "what?", "--overlay", "/no/such/folder/seen.png"],
        ["ask", "what?", "--overlay"],
        ["chat", "--port", "70000"],
        ["chat", "--host", "203.0.113.9", "--port", "0"],
        ["models"],
        ["bench"],
        ["bench", "speed", "--image", "DOE.png"],
        ["bench", "retrieval", "--data", "DOE"],
        ["bench", "retrieval", "--quick", "--full"],
        ["models", "frobnicate"],
        ["doctor", "extra"],
    ],
)
def test_bad_arguments_are_one_line_on_stderr_and_exit_code_2(overread: Overread, arguments: list[str]) -> None:
    done = overread(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(r"overread: [^\n]{8,300}\n", done.stderr)
    assert "Traceback" not in done.stderr
    assert "DOE" not in done.stderr


def test_an_overlay_never_overwrites_an_image(overread: Overread, tmp_path: Path) -> None:
    image = tmp_path / "scan.png"
    image.write_bytes(b"pixels")
    done = overread("ask", image, "what?", "--overlay", image)
    assert done.returncode == 2
    assert "it would be overwritten" in done.stderr
    assert image.read_bytes() == b"pixels"


def test_doctor_finds_every_part_working(overread: Overread) -> None:
    done = overread("doctor", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout
    assert report["ok"] is True
    assert {"Model weights", "Knowledge base", "Identity detector", "Engine"} <= {c["name"] for c in report["checks"]}


def test_doctor_tells_of_what_is_broken(overread: Overread, tmp_path: Path) -> None:
    card = tmp_path / "models" / "broken" / "card.yaml"
    card.parent.mkdir(parents=True)
    card.write_text("name: [", "utf-8")
    done = overread("doctor", OVERREAD_MODELS=str(card.parents[1]), OVERREAD_LLM_BASE_URL="http://127.0.0.1:9/v1")
    assert done.returncode == 1
    assert re.search(r"FAULT +Model weights +card broken", done.stdout)
    assert re.search(r"note +Engine +the language model server does not answer", done.stdout)
    assert "1 of 10 parts do not work." in done.stdout
    assert done.stderr == ""


def test_models_are_listed_with_their_limits(overread: Overread) -> None:
    cards = json.loads(overread("models", "list", "--json").stdout)
    assert all({"name", "domains", "weights", "limits"} <= card.keys() for card in cards)
    text = overread("models", "list").stdout
    assert all(card["name"] in text and card["weights"]["sha256"] in text for card in cards)


def test_models_verify_tells_a_changed_file(overread: Overread, tmp_path: Path) -> None:
    assert overread("models", "verify").returncode == 0
    folder = tmp_path / "models" / "changed"
    folder.mkdir(parents=True)
    (folder / "w.safetensors").write_bytes(b"other")
    (folder / "card.yaml").write_text(
        json.dumps(
            {
                "name": "changed", "version": "1", "title": "A test", "task": "domain", "domains": [],
                "architecture": "open-clip-resnet", "labels": [], "training": [], "limits": [],
                "weights": {"file": "w.safetensors", "sha256": "0" * 64, "licence": "CC0"},
            }
        ),
        "utf-8",
    )  # fmt: skip
    done = overread("models", "verify", OVERREAD_MODELS=str(folder.parent))
    assert done.returncode == 2
    assert re.search(r"altered +changed 1 card changed: w.safetensors is not the file the card names", done.stdout)
