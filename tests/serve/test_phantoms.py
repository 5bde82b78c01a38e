"""The drawn studies: what they are said to be, and nobody's identity left when they are opened."""

from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread

from agent.opening import open_study
from agent.parts import Parts
from overread.settings import Settings
from serve.chat.samples import samples
from serve.phantoms import BORN, NAME, NUMBER, chest_film


@pytest.fixture(scope="module")
def parts() -> Parts:
    return Parts(Settings(llm_base_url=None))


@pytest.mark.parametrize(("name", "domain"), [("film", "xray/chest"), ("head", "ct/head"), ("retina", "fundus")])
def test_a_drawn_study_is_taken_for_what_it_shows(
    name: str, domain: str, parts: Parts, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp(name)
    chosen = next(one for one in samples() if one.name == name)
    assert "drawn by Overread" in chosen.about
    chosen.write(place)
    opened = open_study(place if name == "head" else place / "000000", parts)
    assert np.ptp(opened.display(opened.frame)) > 200
    (decision,) = parts.identifier().identify([opened.display(opened.frame)], [opened.event.modality])
    assert (decision.label, decision.accepted) == (domain, True)
    told = opened.event.model_dump_json()
    assert not [value for value in (NAME, NUMBER, BORN) if value in told]


def test_the_film_carries_its_invented_patient() -> None:
    header = dcmread(BytesIO(chest_film()))
    assert (header.PatientName, header.PatientID, header.PatientBirthDate) == (NAME, NUMBER, BORN)
    assert header.StudyDescription == "Drawn by Overread: a phantom, nobody's image"
