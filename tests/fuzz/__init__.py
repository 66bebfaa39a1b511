"""Malformed model files, made from sound ones."""
