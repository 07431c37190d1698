"""``python -m controller`` is the command ``wingpath``."""

import sys

from controller.cli import main

sys.exit(main())
