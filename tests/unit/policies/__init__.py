"""Policies, applications, address books and routing, and what operators see of them."""
