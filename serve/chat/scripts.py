"""The page's own scripts, served as they lie in the package."""

import os
from typing import Any

from starlette.responses import Response
from starlette.staticfiles import StaticFiles


class Scripts(StaticFiles):
    """The files of ``serve/chat/static``. A browser asks each time whether it has the newest."""

    def __init__(self) -> None:
        super().__init__(packages=[("serve.chat", "static")])

    def file_response(self, full_path: str | os.PathLike[str], *args: Any, **more: Any) -> Response:
        """The file, to be kept only as long as it is the newest."""
        response = super().file_response(full_path, *args, **more)
        response.headers["Cache-Control"] = "no-cache"
        return response
