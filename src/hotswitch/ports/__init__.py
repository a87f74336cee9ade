"""Links as they are observed, and which link a port has: identity, adoption, VIFs."""
