"""What every room needs: errors, text as it is safe to show, quantities as typed and written, signals and output."""
