"""Mininet topologies and the runner that brings one up and takes it down."""
