"""The side of a finding comes from its region and the header, and the gate holds sentences to it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from agent.evidence import Evidence, ledger_of
from agent.sides import side_of
from agent.state import SeenFinding, SeenImage
from guardrails.claims import check_claim
from guardrails.phi.header import HeaderStripper
from guardrails.phi.identity import Identity
from overread.records import Context, Finding, Region
from overread.settings import Settings
from tools.imaging.reader import read_study
from tools.imaging.study import Study

ON_THE_LEFT_OF_THE_PICTURE = Region(box=(4, 10, 30, 40))
IN_THE_MIDDLE = Region(box=(30, 10, 70, 40))


def study(folder: Path, **header: Any) -> Study:
    """A made-up film of 100 x 100 pixels, written, read and stripped as in a run."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    made.Modality, made.Rows, made.Columns, made.PatientName = "DX", 100, 100, "Doe^Jo"
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelRepresentation = 1, "MONOCHROME2", 0
    made.BitsAllocated, made.BitsStored, made.HighBit = 8, 8, 7
    made.PixelData = np.arange(10_000, dtype=np.uint32).astype(np.uint8).tobytes()
    for name, value in header.items():
        setattr(made, name, value)
    path = folder / f"{generate_uid()}.dcm"
    made.save_as(path, enforce_file_format=True)
    return read_study(path, HeaderStripper(Identity()), Settings())


def image(of: Study, domain: str) -> SeenImage:
    return SeenImage(
        id="D1", study_id=of.study_id, frame=0, modality="DX", domain=domain, probability=0.97, context=of.context
    )


@pytest.mark.parametrize(
    ("domain", "header", "region", "side"),
    [
        ("xray/chest", {"PatientOrientation": ["L", "F"]}, ON_THE_LEFT_OF_THE_PICTURE, "right"),
        ("xray/chest", {"PatientOrientation": ["R", "F"]}, ON_THE_LEFT_OF_THE_PICTURE, "left"),
        ("xray/chest", {"PatientOrientation": ["L", "F"]}, IN_THE_MIDDLE, None),
        ("xray/chest", {"PatientOrientation": ["L", "F"]}, None, None),
        ("xray/chest", {"PatientOrientation": ["A", "F"]}, ON_THE_LEFT_OF_THE_PICTURE, None),
        ("xray/chest", {"ViewPosition": "PA"}, ON_THE_LEFT_OF_THE_PICTURE, None),
        ("xray/chest", {"ImageLaterality": "L"}, ON_THE_LEFT_OF_THE_PICTURE, None),
        ("mammography", {"ImageLaterality": "L"}, ON_THE_LEFT_OF_THE_PICTURE, "left"),
        ("mammography", {"ImageLaterality": "B"}, ON_THE_LEFT_OF_THE_PICTURE, None),
        ("mammography", {"PatientOrientation": ["L", "F"]}, ON_THE_LEFT_OF_THE_PICTURE, None),
        ("dermoscopy", {"ImageLaterality": "L"}, ON_THE_LEFT_OF_THE_PICTURE, None),
    ],
)
def test_a_side_is_known_only_from_the_header(
    tmp_path: Path, domain: str, header: dict[str, Any], region: Region | None, side: str | None
) -> None:
    one = study(tmp_path, **header)
    assert side_of(region, image(one, domain), one) == side


def test_a_true_side_is_shown_a_false_one_caught_and_an_unknown_one_withheld(tmp_path: Path) -> None:
    for header, verdicts in (
        ({"PatientOrientation": ["L", "F"]}, ("supported", "contradicted", "contradicted")),
        ({}, ("unsupported", "unsupported", "unsupported")),
    ):
        one = study(tmp_path, **header)
        seen = image(one, "xray/chest")
        finding = Finding(
            id="F1", label="nodule", probability=0.9, decision="present", region=ON_THE_LEFT_OF_THE_PICTURE
        )
        side = side_of(finding.region, seen, one)
        found = SeenFinding(image="D1", tool="t", title="Chest model", finding=finding, side=side)
        ledger = ledger_of(Evidence(about_image=True, knowledge=False, images=(seen,), findings=(found,)))
        said = ("There is a right nodule [F1].", "There is a left nodule [F1].", "There is a bilateral nodule [F1].")
        assert tuple(check_claim("c", text, ledger).verdict for text in said) == verdicts


def test_a_context_that_was_given_names_the_side_of_an_image_of_one_side(tmp_path: Path) -> None:
    one = study(tmp_path)
    given = image(one, "mr/knee").model_copy(update={"context": Context(laterality="R")})
    assert side_of(IN_THE_MIDDLE, given, one) == "right"
