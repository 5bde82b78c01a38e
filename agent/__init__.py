"""The agent: joins tools, retrieval and guardrails into one stream of events."""
