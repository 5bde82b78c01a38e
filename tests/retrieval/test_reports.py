"""Similar reports: found by their findings, without comparisons, redacted, and read within bounds."""

import io
import json
import random
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import ReportError
from retrieval.report_files import RawReport, read_reports
from retrieval.report_text import compares, labels_in, parts_of, sentences, without_comparisons
from retrieval.reports import PastReports

OPENI = """<?xml version="1.0"?>{more}<eCitation><MedlineCitation><Article><Abstract>
<AbstractText Label="COMPARISON">None.</AbstractText>
<AbstractText Label="INDICATION">A woman with a secret.</AbstractText>
<AbstractText Label="FINDINGS">{findings}</AbstractText><AbstractText Label="IMPRESSION">{impression}</AbstractText>
</Abstract></Article></MedlineCitation></eCitation>"""

REPORTS = [
    RawReport(findings="There is a right pleural effusion. No pneumothorax.", impression="Right pleural effusion."),
    RawReport(findings="The heart is enlarged. No pleural effusion.", impression="Cardiomegaly."),
    RawReport(findings="The lungs are clear. No effusion, no pneumonia.", impression="Normal chest."),
    RawReport(
        findings="Left pneumothorax. The effusion is unchanged since the prior film.", impression="Pneumothorax."
    ),
]


def same(text: str) -> str:
    return text


@pytest.mark.parametrize(
    ("present", "first"),
    [
        (["pleural_effusion"], "Right pleural effusion."),
        (["cardiomegaly"], "Cardiomegaly."),
        ([], "Normal chest."),
        (["Pneumothorax"], "Pneumothorax."),
    ],
)
def test_the_report_with_the_same_findings_comes_first(present: list[str], first: str) -> None:
    (best,) = PastReports(REPORTS, same).similar(present, k=1)
    assert best.impression == first


def test_a_finding_named_only_in_a_comparison_is_no_label() -> None:
    last = PastReports(REPORTS, same).similar(["pneumothorax"], k=1)[0]
    assert last.labels == ("pneumothorax",)
    assert "unchanged" not in last.text


@pytest.mark.parametrize(
    "sentence",
    [
        "Compared with the prior study, the effusion is larger.",
        "The nodule is unchanged.",
        "Stable cardiomegaly.",
        "Again seen is a granuloma.",
        "There has been interval resolution of the pneumonia.",
        "The opacity has decreased since last week.",
        "No significant change.",
        "There is a new infiltrate.",
        "Persistent left effusion.",
    ],
)
def test_a_comparison_is_left_out_whole(sentence: str) -> None:
    assert compares(sentence)
    assert without_comparisons(f"The heart is normal. {sentence} No fracture.") == "The heart is normal. No fracture."


@given(
    st.lists(
        st.sampled_from(["The heart is normal.", "Unchanged mass.", "No fracture", "Stable.", "\n", "1. A nodule."])
    )
)
def test_nothing_is_left_to_strip(parts: list[str]) -> None:
    once = without_comparisons(" ".join(parts))
    assert not any(compares(one) for one in sentences(once))
    assert without_comparisons(once) == once


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("No pneumothorax or pleural effusion.", set()),
        ("There is no pneumothorax, but a small effusion is there.", {"pleural effusion"}),
        ("Pneumonia is not seen.", set()),
        ("Cardiomegaly. Emphysema without infiltrate.", {"cardiomegaly", "emphysema"}),
        ("Glioma of the left temporal lobe.", {"glioma"}),
    ],
)
def test_labels_are_what_is_not_denied(text: str, labels: set[str]) -> None:
    assert labels_in(text) == labels


def test_every_text_that_is_given_goes_through_the_redaction() -> None:
    seen: list[str] = []

    def redact(text: str) -> str:
        seen.append(text)
        return "clean"

    (best,) = PastReports(REPORTS, redact).similar(["cardiomegaly"], k=1)
    assert (best.findings, best.impression) == ("clean", "clean")
    assert seen == [REPORTS[1].findings, REPORTS[1].impression]


def test_a_redaction_that_fails_gives_no_text() -> None:
    def redact(text: str) -> str:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        PastReports(REPORTS, redact).similar(["cardiomegaly"])


def test_parts_are_found_by_their_headings() -> None:
    text = "PATIENT: A. Name\nHISTORY: cough\nFINDINGS: Clear lungs.\nNo fracture.\nIMPRESSION:\nNormal.\nSIGNED: B"
    assert parts_of(text) == ("Clear lungs.\nNo fracture.", "Normal.")
    assert parts_of("Clear lungs.") == ("Clear lungs.", "")


def files_of(folder: Path) -> None:
    (folder / "a.xml").write_text(OPENI.format(more="", findings="An effusion.", impression="Effusion."), "utf-8")
    (folder / "b.txt").write_text("FINDINGS: A fracture.\nIMPRESSION: Fracture.", "utf-8")
    rows = [{"findings": "A nodule.", "impression": "Nodule."}, {"text": "A mass."}, {"findings": 3}, 4]
    (folder / "c.jsonl").write_text("\n".join([*map(json.dumps, rows), "{broken"]), "utf-8")
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]>'
    (folder / "d.xml").write_text(OPENI.format(more=bomb, findings="&a;", impression="&a;"), "utf-8")
    (folder / "e.xml").write_text("<broken", "utf-8")
    (folder / "f.png").write_bytes(b"no report")
    (folder / "g.txt").write_text("word " * 10_000, "utf-8")


def test_a_folder_is_read_and_what_is_no_report_is_passed_over(tmp_path: Path) -> None:
    files_of(tmp_path)
    assert [report.findings for report in read_reports(tmp_path)] == [
        "An effusion.",
        "A fracture.",
        "A nodule.",
        "A mass.",
    ]


def test_an_archive_gives_what_its_folder_gives_and_no_links(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    files_of(folder)
    with tarfile.open(tmp_path / "reports.tgz", "w:gz") as archive:
        archive.add(folder, "in")
        link = tarfile.TarInfo("link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link, io.BytesIO())
    assert list(read_reports(tmp_path / "reports.tgz")) == list(read_reports(folder))


@pytest.mark.parametrize("name", ["nowhere", "broken.tgz"])
def test_what_cannot_be_read_is_an_error_without_the_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "broken.tgz").write_bytes(b"\x1f\x8b" + random.Random(1).randbytes(99))  # noqa: S311
    with pytest.raises(ReportError) as caught:
        list(read_reports(tmp_path / name))
    assert name not in str(caught.value)


def test_no_comparison_is_left_in_half_of_openi(shared_data: Path) -> None:
    reports = list(read_reports(shared_data / "reports" / "openi_reports.tgz"))[1::8]
    assert len(reports) > 400
    left = [one for report in reports for one in sentences(without_comparisons(report.findings)) if compares(one)]
    assert left == []
