"""Pictures of answers, as SVG: one drawing layer for the command line, notebooks, reports and the page.

Each file draws one picture from a published document and returns the text of an SVG. Colours are given as attributes
that read on white and on black; whoever embeds a picture may restyle it by its classes (``ink``, ``grid``, ``axis``,
``mark``, ``band`` and the names of memory's parts). No picture needs a script, a font or a style sheet.
"""
