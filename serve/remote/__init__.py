"""The application on Ray Serve: some of its parts run in processes of their own, on one machine or many."""
