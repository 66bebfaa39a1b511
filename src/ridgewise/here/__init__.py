"""This machine: what is in it, what it reaches, and how fast real engines run on it.

``detect`` reads what the system tells, ``probe`` measures bandwidth and products, ``bench`` runs engines and drives
servers. Only this room starts programs and measures time.
"""
