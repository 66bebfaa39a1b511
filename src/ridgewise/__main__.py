"""``python -m ridgewise``."""

import sys

from ridgewise.app.main import main

if __name__ == "__main__":
    sys.exit(main())
