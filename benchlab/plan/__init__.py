"""What is measured, where and in which order, from settings and seed alone."""
