"""What a run says: the sentences, tables and plots, and their outputs as terminal, Markdown, page and files."""
