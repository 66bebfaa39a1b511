"""Thin faces: parse, call, render."""
