"""The page: the questions of the command line as forms, their answers as documents one can look into.

Pages are made on the server and work without a script; ``static/app.js`` makes them answer while one types. Every state
is an address that can be read, sent and kept. ``site`` has the routes, ``view`` what templates see, ``why`` what stands
behind a number.
"""
