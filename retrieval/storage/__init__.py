"""Knowledge bases on disk: documents, words and vectors in one folder, written atomically and opened read-only."""
