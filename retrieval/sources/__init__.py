"""Readers of documents: one module a format family, each told apart by content and bounded before it is decoded."""
