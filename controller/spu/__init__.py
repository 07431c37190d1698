"""A services processing unit: sets sessions up and runs their services."""
