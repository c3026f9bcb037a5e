"""A peer of the ingester in Python: one job in, JSON lines out (docs/peer-contract.md)."""

VERSION = "0.1.0"
SCHEMA = 1
