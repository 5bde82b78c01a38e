"""Similar cases: the index of known images, where it is kept, and the tool that searches it."""
