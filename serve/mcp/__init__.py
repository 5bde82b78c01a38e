"""Overread as an MCP server: tools and resources for other agents, on stdio and over HTTP."""
