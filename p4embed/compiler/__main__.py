"""`python -m p4embed.compiler`: the command `p4embed-c`."""

import sys

from p4embed.compiler.cli import main

sys.exit(main())
