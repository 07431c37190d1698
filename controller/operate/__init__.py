"""What an operator touches: show and clear commands, and the socket they come by."""
