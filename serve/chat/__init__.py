"""The chat page: drop an image, ask, and see the image, the steps and the evidence while the answer streams."""
