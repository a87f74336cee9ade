"""Frozen values: what the rooms of the house hand to each other."""
