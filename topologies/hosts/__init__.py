"""Programs that run on the hosts of a topology: servers, askers, one packet for each screen."""
