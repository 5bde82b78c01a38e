"""Studies over the wire: whose they are, how they lie on the disk, and that they go."""

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
import skimage
from PIL import Image
from pydicom.data import get_testdata_file

SAMPLES = Path(skimage.__file__).parent / "data"


def ct(name: str) -> bytes:
    """A CT slice with a patient's name in it."""
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    dataset.PatientName = name
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def upload(client: httpx.Client, data: bytes, name: str = "DOE_JANE.dcm") -> httpx.Response:
    return client.post("/v1/studies", files={"file": (name, data)})


def look(client: httpx.Client, study_id: str, question: str = "What kind of image is this?") -> httpx.Response:
    parts = [{"type": "text", "text": question}, {"type": "image_url", "image_url": {"url": f"study:{study_id}"}}]
    body = {"model": "overread", "messages": [{"role": "user", "content": parts}]}
    return client.post("/v1/chat/completions", json=body)


def test_a_study_is_uploaded_asked_about_shown_and_deleted(api: Any) -> None:
    with api.client(api.alice) as alice, api.client(api.bob) as bob:
        sent = upload(alice, ct("Quixotry^Zebulon"))
        assert sent.status_code == 201, sent.text
        told = sent.json()
        assert (told["modality"], told["size"], told["frames"]) == ("CT", [128, 128], 1)
        id_ = told["id"]
        assert re.fullmatch(r"[0-9a-f]{32}", id_)
        files = [path for path in (api.state / "studies" / id_).rglob("*") if path.is_file()]
        assert files
        assert all(path.stat().st_mode & 0o777 == 0o600 for path in files)
        assert (api.state / "studies" / id_).stat().st_mode & 0o777 == 0o700
        assert not [path for path in api.state.rglob("*") if "DOE" in path.name]
        assert alice.get(f"/v1/studies/{id_}/artifacts/image.png").status_code == 404

        asked = look(alice, id_)
        assert asked.status_code == 200, asked.text
        assert "Zebulon" not in asked.text
        (seen,) = [event for event in asked.json()["overread"]["events"] if event["type"] == "study"]
        (kept,) = alice.get(f"/v1/studies/{id_}").json()["looks"]
        assert kept["study_id"] == seen["study_id"]
        for href in kept["artifacts"].values():
            picture = alice.get(href)
            assert Image.open(io.BytesIO(picture.content)).size[0] >= 128
            assert bob.get(href).status_code == 404
        assert alice.get(f"/v1/studies/{id_}/artifacts/image.png").status_code == 200

        for path in (f"/v1/studies/{id_}", f"/v1/studies/{id_}/artifacts/image.png"):
            assert bob.get(path).status_code == 404
        assert bob.delete(f"/v1/studies/{id_}").status_code == 404
        assert look(bob, id_).status_code == 404
        assert id_ not in bob.get("/v1/studies").text
        assert id_ in alice.get("/v1/studies").text

        assert alice.delete(f"/v1/studies/{id_}").json()["deleted"]
        assert not (api.state / "studies" / id_).exists()
        for gone in (f"/v1/studies/{id_}", kept["artifacts"]["image"]):
            assert alice.get(gone).status_code == 404
        assert look(alice, id_).status_code == 404


def test_zip_png_and_nifti_are_taken_and_what_is_none_is_not_kept(api: Any) -> None:
    import nibabel

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("DOE/1.dcm", ct("Doe^Jane"))
    volume = nibabel.Nifti1Image(np.zeros((8, 9, 10), np.int16), np.eye(4)).to_bytes()
    with api.client(api.bob) as bob:
        for data in (packed.getvalue(), (SAMPLES / "chelsea.png").read_bytes(), volume):
            sent = upload(bob, data)
            assert sent.status_code == 201, sent.text
            assert bob.delete(f"/v1/studies/{sent.json()['id']}").status_code == 200
        before = len(list((api.state / "studies").iterdir()))
        for data, code in ((b"", "cannot_store"), (b"Zebulon Quixotry", "unreadable_input")):
            sent = upload(bob, data)
            assert (sent.status_code, sent.json()["error"]["code"]) == (400, code)
            assert "Zebulon" not in sent.text
        assert bob.post("/v1/studies", files={"other": b"x"}).status_code == 400
        assert bob.post("/v1/studies", content=b"x").status_code == 415
        assert len(list((api.state / "studies").iterdir())) == before


def test_a_body_that_is_too_large_is_cut_off_while_it_is_read(api: Any) -> None:
    def endless() -> Any:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(200):
            yield b"x" * 65_536

    with api.client(api.alice) as alice:
        told = alice.post(
            "/v1/chat/completions", content=b"x" * 1_000_001, headers={"Content-Type": "application/json"}
        )
        assert told.status_code == 413
        assert upload(alice, b"x" * 2_100_000).status_code == 413
        try:
            status = alice.post(
                "/v1/studies", content=endless(), headers={"Content-Type": "multipart/form-data; boundary=b"}
            ).status_code
        except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
            status = 413  # the server hung up while the client was still sending
        assert status == 413


@pytest.mark.parametrize("rounds", [2])
def test_two_users_runs_never_meet(api: Any, rounds: int) -> None:
    """Both ask about studies with a planted identity at the same time; neither sees anything of the other's."""
    from concurrent.futures import ThreadPoolExecutor

    names = {api.alice: "Zebulon^Quixotry", api.bob: "Thaddeus^Umbridge"}
    with api.client(api.alice) as alice, api.client(api.bob) as bob:
        clients = {api.alice: alice, api.bob: bob}
        ids = {key: upload(client, ct(names[key])).json()["id"] for key, client in clients.items()}

        def run(key: str) -> tuple[str, str]:
            question = f"What kind of image is this? It is of {names[key].replace('^', ' ')}."
            return key, look(clients[key], ids[key], question).text

        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(run, [*names] * rounds))
        seen: dict[str, set[str]] = {key: set() for key in names}
        for key, answer in answers:
            seen[key] |= set(re.findall(r'"study_id":"([^"]+)"', answer))
            assert not re.search("Zebulon|Quixotry|Thaddeus|Umbridge", answer)
        assert len(seen[api.alice]) == len(seen[api.bob]) == rounds
        assert not seen[api.alice] & seen[api.bob]
        for key, client in clients.items():
            for study_id in set().union(*seen.values()):
                status = client.get(f"/v1/studies/{study_id}/artifacts/image.png").status_code
                assert status == (200 if study_id in seen[key] else 404)
            client.delete(f"/v1/studies/{ids[key]}")
    planted = re.compile("Zebulon|Quixotry|Thaddeus|Umbridge|DOE|" + "|".join(names))
    assert not planted.search(api.log.read_text())
    assert not planted.search(api.metrics())


def test_a_prior_is_named_by_its_handle(api: Any) -> None:
    with api.client(api.alice) as http, api.client(api.bob) as other:
        ids = [upload(http, ct("Quixotry^Zebulon")).json()["id"] for _ in range(2)]
        parts = [
            {"type": "text", "text": "Has it changed?"},
            {"type": "image_url", "image_url": {"url": f"study:{ids[0]}"}},
        ]
        body = {
            "model": "overread",
            "messages": [{"role": "user", "content": parts}],
            "overread": {"prior": f"study:{ids[1]}"},
        }
        asked = http.post("/v1/chat/completions", json=body)
        assert asked.status_code == 200, asked.text
        studies = {event["study_id"] for event in asked.json()["overread"]["events"] if event["type"] == "study"}
        assert len(studies) == 2
        assert "Quixotry" not in asked.text
        assert other.post("/v1/chat/completions", json=body).status_code == 404
        for id_ in ids:
            http.delete(f"/v1/studies/{id_}")
