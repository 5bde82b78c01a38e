"""dicom-anonymizer as an oracle: what it takes out of pydicom's files or replaces, ours does not leave either."""

import pytest

from evaluation.header_oracle import compare, pydicom_files


@pytest.mark.filterwarnings("ignore")
@pytest.mark.timeout(600)
def test_what_the_oracle_takes_out_or_replaces_is_not_left_by_ours() -> None:
    found = compare(pydicom_files())
    assert not found.left
    assert found.files >= 150
    assert found.changed >= 5000
