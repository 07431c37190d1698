"""``python -m p4embed.switch``: the same as ``p4embed-switch``."""

import sys

from p4embed.switch.cli import main

sys.exit(main())
