"""The engines that write: the built-in composer, and any OpenAI-compatible server."""
