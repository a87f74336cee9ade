"""Real guests plug themselves in."""
