from agent.evidence import Evidence
from agent.nodes.write import too_little
from agent.state import SeenFinding, SeenImage
from overread.records import Context, Finding

IMAGE = SeenImage(
    id="D1", study_id="study-1", frame=0, modality=None, domain="xray/chest", probability=0.99, context=Context()
)


def undecided(id_: str, reason: str | None) -> SeenFinding:
    return SeenFinding(
        image="D1",
        tool="chest",
        title="The chest X-ray model",
        experimental=False,
        reason=reason,
        covers=("pneumonia",),
        finding=Finding(
            id=id_, label="pneumonia", probability=None if reason else 0.5, decision="indeterminate", interval=None
        ),
    )


def missing(*findings: SeenFinding) -> str:
    evidence = Evidence(about_image=True, knowledge=False, images=(IMAGE,), findings=findings)
    refused = too_little(evidence, 0.5)
    assert refused is not None
    return str(refused.missing)


def test_what_is_missing_is_what_keeps_the_right_tool_from_deciding() -> None:
    child = "this model speaks only for infants and children"
    assert "limits" in missing(undecided("F1", None), undecided("F2", child))
    assert missing(undecided("F1", child)) == child
