"""What both applications share: how N is read, and the page of fortunes."""

from html import escape


def count(text):
    """Return the N of a request: 1 to 500, and 1 where it is no number."""
    try:
        return min(max(int(text), 1), 500)
    except ValueError:
        return 1


def page(fortunes):
    rows = "".join(f"<tr><td>{number}</td><td>{escape(message)}</td></tr>" for number, message in fortunes)
    return (
        "<!DOCTYPE html><html><head><title>Fortunes</title></head><body><table>"
        f"<tr><th>id</th><th>message</th></tr>{rows}</table></body></html>"
    )
