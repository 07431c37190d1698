"""The configuration: schema, parsers, and their errors."""
