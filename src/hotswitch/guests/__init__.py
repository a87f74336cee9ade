"""Hypervisors' words for ports: scripts that they call when a guest's interface comes or goes.

Each is a short-lived process, so what a start needs is kept small.
"""
