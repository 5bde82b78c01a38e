"""The MCP server: one object, whatever transport carries it."""

from overread import __version__
from serve.api.service import Service
from serve.mcp.calls import Calls
from serve.mcp.images import Images
from serve.mcp.kept import Kept
from serve.mcp.quiet import QuietServer
from serve.mcp.resources import Resources
from serve.mcp.tools import Tools, described


def build_server(service: Service, on_stdio: bool = False) -> QuietServer:
    """The server over these parts. ``on_stdio``: one client, on this machine, who may name files by their paths."""
    calls, kept = Calls(service, alone=on_stdio), Kept()
    server = QuietServer(
        "overread",
        Tools(calls, Images(service, files=on_stdio), kept).all(),
        title="Overread",
        version=__version__,
        instructions=described()["instructions"],
    )
    Resources(calls, kept).add_to(server)
    return server
