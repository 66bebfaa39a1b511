"""The REST interface: the questions of the command line over HTTP, with the same flags and the same JSON.

``questions`` says what can be asked, ``desk`` answers with bounded workers, ``guard`` keeps the door, ``service`` has
the routes. No formula lives here.
"""
