"""A loader with the core schema of YAML 1.2, whose plain scalars mean other things than those of 1.1."""

from __future__ import annotations

import re

import yaml

_RESOLVERS = (
    ("null", r"null|Null|NULL|~|"),
    ("bool", r"true|True|TRUE|false|False|FALSE|y|Y|n|N|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF"),
    ("int", r"[-+]?[0-9]+|0[oO][0-7]+|0x[0-9a-fA-F]+|0b[01]+"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
)


def core_schema() -> type[yaml.SafeLoader]:
    """Return the loader; the booleans are also those that kubectl's own reader knows."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {}
    for tag, pattern in _RESOLVERS:
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"(?:{pattern})$"), None)
    Loader.add_constructor("tag:yaml.org,2002:float", _float)
    return Loader


def _float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    return float(str(node.value))
