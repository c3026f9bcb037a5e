"""How something wrong is shown in a message."""


def excerpt(text: str) -> str:
    """The first 24 characters in quotation marks; what is no printable ASCII is shown as a mark."""
    shown = "".join(c if " " <= c <= "~" else "\ufffd" for c in text[:24])
    quoted = shown.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}{"…" if len(text) > 24 else ""}"'
