"""Ridgewise: what hardware does my AI workload need, and why?"""

__version__ = "0.1.0"
