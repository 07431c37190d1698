"""TCP checks, time-outs and ends of an SPU."""
