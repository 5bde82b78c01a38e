"""``overread mcp``: an MCP server on stdio."""

EXAMPLES = """
Examples:

  overread mcp

An agent starts it; its settings name the command, such as:

  {"mcpServers": {"overread": {"command": "overread", "args": ["mcp"]}}}

Over HTTP the same server is at /mcp of: overread serve
"""


def mcp() -> None:
    """Serve MCP on standard input and output, for an agent on this machine. Images are named by their paths."""
    import asyncio

    from overread.settings import settings
    from serve.mcp.stdio import serve_stdio

    asyncio.run(serve_stdio(settings()))
