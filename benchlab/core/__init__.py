"""What every room needs: errors, safe text, quantities as typed and written, signals and output."""
