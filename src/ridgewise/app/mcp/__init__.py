"""The questions of the command line as tools of assistants (Model Context Protocol): the same options, the same JSON,
with the sources of every number beside it. ``tools`` says what can be asked, ``server`` speaks the protocol."""
