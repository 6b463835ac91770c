"""The ward: runs broken on purpose, one for each failure the doctor names, and healthy ones."""
