"""Flows that a gateway reads along with, and what they announce."""
