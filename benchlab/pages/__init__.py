"""What the numbers say as a page with plots, in one file."""
