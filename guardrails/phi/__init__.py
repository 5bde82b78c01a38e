"""Patient identity: found in headers, in text, and kept only as a run's exact-match list."""
