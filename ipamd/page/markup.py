"""HTML as a tree: text is text wherever it stands, so that no name of a Pod is ever read as markup.

The standard library's element tree and no template engine: an engine would be one more dependency on every
node, and with it each template has to remember to escape.
"""

from xml.etree import ElementTree as ET

Element = ET.Element
Child = Element | str | None
"""None is left out."""
_REPLACED = "\N{REPLACEMENT CHARACTER}"


def tag(name: str, /, *children: Child, **attributes: str | int) -> Element:
    """Return an element. `_` in the name of an attribute stands for `-`, and one at its end for nothing."""
    element = ET.Element(name)
    for key, value in attributes.items():
        element.set(key.rstrip("_").replace("_", "-"), visible(str(value)))
    last: Element | None = None
    for child in children:
        if isinstance(child, str):
            text = visible(child)
            if last is None:
                element.text = (element.text or "") + text
            else:
                last.tail = (last.tail or "") + text
        elif child is not None:
            element.append(child)
            last = child
    return element


def visible(text: str) -> str:
    """Return the text without what ends a line or turns the direction of what follows."""
    return "".join(c if c.isprintable() else _REPLACED for c in text)


def document(root: Element) -> bytes:
    """Return a whole page."""
    return b"<!DOCTYPE html>\n" + ET.tostring(root, encoding="unicode", method="html").encode()
