"""What the numbers say as text: tables, sentences, reports."""
