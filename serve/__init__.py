"""Shows the agent's events: in a terminal, as JSON lines, on a chat page. No medical logic lives here."""
