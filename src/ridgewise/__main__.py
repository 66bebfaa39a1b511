"""``python -m ridgewise``."""

import sys

from ridgewise.app.main import main

sys.exit(main())
