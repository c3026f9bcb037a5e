"""The format of Census 2000 Summary File 1: archives, the geographic header, segments' lines."""
