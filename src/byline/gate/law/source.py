"""Reading the tables of this folder: YAML without its traps, and faults named by file and field."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from byline.core import GateError

Model = TypeVar("Model", bound=BaseModel)
_FIX = "correct the table; docs/rights.md describes its form"


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """Refuses a key that stands twice (YAML keeps the last without a word). A date stays text, a model reads it; only
    true and false are booleans, so that `on`, `no` and Norway are words."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":bool", ":timestamp"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    twice = sorted({str(key) for key in keys if keys.count(key) > 1})
    if twice:
        raise yaml.constructor.ConstructorError(None, None, f"stands twice: {', '.join(twice)}", node.start_mark)
    return {key: loader.construct_object(value, deep=True) for key, (_, value) in zip(keys, node.value, strict=True)}


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


def read_yaml(name: str | Path) -> Any:
    """A table of this folder by its name, or any by its path. Raises: GateError("bad-law-table")."""
    try:
        text = name.read_text("utf-8") if isinstance(name, Path) else _shipped(name)
        return yaml.load(text, Loader=_Loader)  # a SafeLoader
    except (yaml.YAMLError, ValueError, OSError, RecursionError) as fault:
        raise GateError("bad-law-table", f"{name}: {fault}", _FIX) from fault


def _shipped(name: str) -> str:
    return files("byline.gate.law").joinpath(name).read_text("utf-8")


def shaped(model: type[Model], value: Any, where: str) -> Model:
    """Raises: GateError("bad-law-table") with every fault of the table."""
    try:
        return model.model_validate(value)
    except ValidationError as fault:
        lines = [f"{where}: {'.'.join(map(str, e['loc'])) or 'table'}: {e['msg']}" for e in fault.errors()]
        raise GateError("bad-law-table", "\n".join(lines), _FIX) from fault
