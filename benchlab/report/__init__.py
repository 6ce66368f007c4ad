"""Reports of a run: sentences, tables and plots, shown in the terminal, as Markdown, as a page and as files."""
