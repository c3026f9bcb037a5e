"""One file a driver: how it connects, and how it sends each statement kind."""
