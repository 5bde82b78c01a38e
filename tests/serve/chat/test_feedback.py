import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from overread.events import DoneEvent, Event
from overread.settings import Settings
from serve.chat.feedback import SCORED, UNSCORED, Feedback
from serve.chat.session import Turn
from serve.errors import NoConversationError


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_line_has_what_calibration_needs_and_nobody_in_it(
    own_settings: Settings, answered: list[Event], overread: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    turn = Turn(1, "Is there a pneumonia?", 1, events=answered, state="done")
    feedback = Feedback(own_settings)
    feedback.keep(turn, "claim-1", True, "", str)
    feedback.keep(turn, "claim-3", False, "Doe had none", lambda text: text.replace("Doe", "[NAME]"))
    path = own_settings.state / SCORED
    assert path.stat().st_mode & 0o777 == 0o600
    right, wrong = lines(path)
    assert (right["score"], right["correct"], right["domain"]) == (0.91, True, "xray/chest")
    assert right["evidence"] == [{"id": "F1", "says": "pneumonia: signs found, 93 % (95 % interval 88 % to 96 %)"}]
    assert (wrong["correct"], wrong["why"]) == (False, "[NAME] had none")
    assert wrong["evidence"] == [{"id": "S1", "says": "Pneumonia is an infection of the lung."}]
    assert not {"question", "run_id", "study_id"} & set(right)
    told = overread("calibrate", path, "--alpha", "0.1", "--delta", "0.1", "--group", "domain", "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)[0]["n"] == 2


def test_one_without_a_confidence_lies_apart(own_settings: Settings, answered: list[Event]) -> None:
    events = [
        event.model_copy(update={"confidence": None}) if isinstance(event, DoneEvent) else event for event in answered
    ]
    Feedback(own_settings).keep(Turn(1, "?", 1, events=events, state="done"), "claim-1", True, "", str)
    assert not (own_settings.state / SCORED).exists()
    assert lines(own_settings.state / UNSCORED)[0]["score"] is None


def test_a_sentence_that_is_not_there_cannot_be_judged(own_settings: Settings, answered: list[Event]) -> None:
    with pytest.raises(NoConversationError):
        Feedback(own_settings).keep(Turn(1, "?", 1, events=answered, state="done"), "claim-9", True, "", str)
