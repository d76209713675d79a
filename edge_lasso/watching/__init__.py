"""After delivery: drift, boards in the field."""
