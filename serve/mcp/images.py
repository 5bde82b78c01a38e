"""Images as a client names them: ``study:ID``, and on stdio also the path of a file."""

from pathlib import Path

from serve.api.service import Service
from serve.arguments import check_images
from serve.errors import ArgumentsError
from serve.studies import PREFIX

Named = tuple[Path, str | None]
"""Where an image lies, and its handle if it was named by one."""


class Images:
    """Finds the images of a client. ``files``: whether paths on this machine are taken."""

    def __init__(self, service: Service, files: bool) -> None:
        self._service = service
        self._files = files

    def find(self, owner: str, given: str) -> Named:
        """The image of that name. Raises ``ArgumentsError``, or ``NoStudyError`` for what is not the owner's."""
        if given.startswith(PREFIX):
            handle = given.removeprefix(PREFIX)
            return self._service.studies.path(owner, handle), handle
        if not self._files:
            raise ArgumentsError("images are named study:ID here; upload them to /v1/studies first")
        check_images((Path(given),))
        return Path(given), None

    def new_file(self, given: str) -> Path:
        """A path that may be written: nothing is there yet. Raises ``ArgumentsError``."""
        path = Path(given)
        if not self._files:
            raise ArgumentsError("no file is written here; read the result's resource instead")
        if path.exists() or path.is_symlink() or not path.parent.is_dir():
            raise ArgumentsError("output names a file that is there already, or a folder that is not")
        return path
