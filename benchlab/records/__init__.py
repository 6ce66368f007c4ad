"""What is planned, measured and kept: frozen records, with a unit in each name, checked when made."""
