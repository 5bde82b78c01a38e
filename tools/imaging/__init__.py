"""Reads images into studies, safely: DICOM by file, folder or zip archive, PNG, JPEG and more.

``read_study`` is the way in. The file is checked before it is decoded, identity is handed to a
header stripper before anything else sees the study, and a file that cannot be read is one
``UnreadableStudyError`` that names the fault.
"""

from tools.imaging.reader import read_study
from tools.imaging.study import HeaderStripper, Study

__all__ = ["HeaderStripper", "Study", "read_study"]
