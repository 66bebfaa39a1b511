"""The commands, one file each: a file ``name.py`` holds the function ``name``, or the Typer ``group`` of its commands.

``PANEL`` says under which heading help lists it. Files that begin with an underscore hold what several share; a name
that is a word of Python ends with one (``import_.py`` is ``ridgewise import``).
"""
