"""Change one value in config.yaml and nothing else: comments, order, blank lines and everyone's own spacing stay.

YAML's own parser says where the value stands in the text; only those characters are replaced.
"""

import yaml

from device.errors import ConfigError


def with_value(text: str, section: str, key: str, value: str) -> str:
    """`text` with `section.key` set to `value` (a string); the key or the section is added where it is missing.

    ConfigError when the text is no configuration, or written so unusually that this change would change something else.
    """
    try:
        before = yaml.safe_load(text) or {}
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        after = _edited(text, root, section, key, _scalar(value))
        wanted = {**before, section: {**(before.get(section) or {}), key: value}}
        if yaml.safe_load(after) == wanted:
            return after
    except (yaml.YAMLError, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise _by_hand(section, key) from error
    raise _by_hand(section, key)


def _by_hand(section: str, key: str) -> ConfigError:
    return ConfigError("config-syntax", f"The configuration is written so that {section}.{key} cannot be set.", "Set it by hand.")


def _edited(text: str, root: yaml.Node | None, section: str, key: str, written: str) -> str:
    block = _child(root, section)
    if block is None:
        head = text if not text or text.endswith("\n") else text + "\n"
        return f"{head}\n{section}:\n  {key}: {written}\n"
    if not isinstance(block, yaml.MappingNode):  # a section's name with nothing below it
        at = block.end_mark.index
        return f"{text[:at]}\n  {key}: {written}{text[at:]}"
    node = _child(block, key)
    if node is not None:
        return _replaced(text, node, written)
    if block.flow_style:
        at = block.start_mark.index + 1
        return f"{text[:at]}{key}: {written}{', ' if block.value else ''}{text[at:]}"
    first = block.value[0][0].start_mark
    line = text.rfind("\n", 0, first.index) + 1
    return f"{text[:line]}{' ' * first.column}{key}: {written}\n{text[line:]}"


def _child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    found: yaml.Node | None = next((v for k, v in node.value if isinstance(k, yaml.ScalarNode) and k.value == key), None)
    return found


def _replaced(text: str, node: yaml.Node, written: str) -> str:
    start, end = node.start_mark.index, node.end_mark.index
    before, after = text[:start], text[end:]
    if start == end and not before.endswith(" "):  # `key:` with nothing behind it
        written = f" {written}"
    gap = len(after) - len(after.lstrip(" "))
    if after[gap : gap + 1] == "#":  # keep the comment in its column where there is room
        after = " " * max(1, gap - (len(written) - (end - start))) + after[gap:]
    return before + written + after


def _scalar(value: str) -> str:
    """The value as YAML, quoted only where it must be."""
    dumped: str = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True)
    return dumped.removesuffix("\n").removesuffix("...").rstrip("\n")
