"""The program of a Python worker: started by path as ``python main.py SETTINGS``, it turns into AWS's own client.

It runs under whatever interpreter the function names, and imports nothing of ours: first it makes ``sys.path`` Lambda's
(the code, then the layers, then the interpreter's own) and hides the packages that this file belongs to, so that a function's
``config``, ``handlers`` or ``pollers`` module is its own or missing.
"""

from __future__ import annotations

import sys

_OLDEST = (3, 10)  # for which AWS still makes its client


def main() -> None:
    """Take the settings from the command line, clean up, and hand over to awslambdaric."""
    _forget_own_folder()
    import json

    settings = json.loads(sys.argv[1])
    sys.argv[:] = [sys.argv[0], settings["handler"]]
    first = [settings["code"], *_layer_paths(settings["layers"])]
    _set_path(first, settings["ours"])
    _hide(settings["ours"], first)
    naming = _naming(settings["naming"], settings["copies"]) if settings.get("copies") else None
    client = _client(settings["client"])
    if settings["probe"]:
        refused = _missing_client() if client is None else None
        sys.stdout.write(json.dumps({"refused": refused, "missing": [n for n in settings["find"] if not _is_there(n)]}))
        return
    if client is None:
        _report(_missing_client())
        sys.exit(1)
    _check_log_descriptor()
    if naming is not None:
        _say_where(sys.modules["awslambdaric.bootstrap"], naming, settings["copies"])
    try:
        client.main(["awslambdaric", settings["handler"]])
    except RuntimeError as told:
        if "Failed to get next" not in str(told):
            raise
        sys.exit(
            0
        )  # Headrace told it to exit instead of giving it an invocation; the client knows this only as an error


def _forget_own_folder() -> None:
    """Take this file's folder off ``sys.path``, before anything is imported: a file beside this one must not hide a module."""
    folder = __file__.rpartition("/")[0]
    sys.path[:] = [entry for entry in sys.path if entry != folder]


def _check_log_descriptor() -> None:
    """Forget the descriptor for log records if whatever started this interpreter has closed it: the client would fail."""
    import os

    try:
        os.fstat(int(os.environ["_LAMBDA_TELEMETRY_LOG_FD"]))
    except (KeyError, ValueError, OSError):
        os.environ.pop("_LAMBDA_TELEMETRY_LOG_FD", None)


def _layer_paths(layers: list[str]) -> list[str]:
    """Where modules are looked for in layers, as under ``/opt/python`` on Lambda; a later layer lies over those before.

    A layer without a ``python`` folder is itself the place.
    """
    import os

    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    paths = []
    for layer in reversed(layers):
        inner = os.path.join(layer, "python")
        if os.path.isdir(inner):
            paths += [os.path.join(inner, "lib", version, "site-packages"), inner]
        else:
            paths.append(layer)
    return paths


def _set_path(first: list[str], ours: str) -> None:
    """Put the function's folders first. An editable installation's folder of ours is no place to look for anything."""
    import os

    here = os.path.dirname(os.path.abspath(__file__))
    kept = []
    for entry in sys.path:
        known = os.path.realpath(entry or os.curdir)
        if known in (here, os.path.realpath(here)) or entry in first:
            continue
        if known == os.path.realpath(ours) and os.path.basename(ours) not in ("site-packages", "dist-packages"):
            continue
        kept.append(entry)
    sys.path[:] = [*first, *kept]


def _hide(ours: str, own: list[str]) -> None:
    """Make the import of our packages' names look everywhere but where our packages lie."""
    import os
    from importlib.machinery import PathFinder

    hidden = os.path.realpath(ours)

    class OwnModules(PathFinder):
        @classmethod
        def find_spec(cls, fullname, path=None, target=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN206
            if path is None and fullname in ("config", "handlers", "pollers"):
                path = [entry for entry in sys.path if entry in own or os.path.realpath(entry) != hidden]
            return super().find_spec(fullname, path, target)

    for place, finder in enumerate(sys.meta_path):
        if finder is PathFinder:
            sys.meta_path[place] = OwnModules


def _client(ours: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a module, of whichever version the interpreter has
    """The interpreter's own awslambdaric, or else ours if this interpreter can load it."""
    try:
        import awslambdaric.__main__
        import runtime_client  # type: ignore[import-not-found]  # its compiled part, without which it cannot run
    except ImportError:
        if not ours or not _borrow(ours):
            return None
        try:
            import awslambdaric.__main__
            import runtime_client  # noqa: F401 - importing it is the test
        except ImportError:
            return None
    _name_the_environment_late(awslambdaric.bootstrap)
    return awslambdaric.__main__


def _name_the_environment_late(bootstrap: object) -> None:
    """Set the execution environment's name when the function is loaded, after the client has looked at it.

    By that name the client would start a thread for each invocation from Python 3.12 on, so that signal handlers run while it
    waits. That halves the speed; Headrace cuts the wait short instead when it stops a worker.
    """
    import os

    name = f"AWS_Lambda_python{sys.version_info[0]}.{sys.version_info[1]}"
    get_handler = getattr(bootstrap, "_get_handler", None)
    if get_handler is None:
        os.environ["AWS_EXECUTION_ENV"] = name
        return

    def named_first(*arguments: object) -> object:
        os.environ["AWS_EXECUTION_ENV"] = name
        return get_handler(*arguments)

    setattr(bootstrap, "_get_handler", named_first)  # noqa: B010 - a module, of whichever version


def _naming(path: str, copies: dict[str, str]):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a module that is loaded by its path
    """Have code that is loaded from a copy named after the user's own files."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("_headrace_naming", path)
    if spec is None or spec.loader is None:
        return None
    naming = module_from_spec(spec)
    spec.loader.exec_module(naming)
    naming.install(copies)
    return naming


def _say_where(bootstrap: object, naming, copies: dict[str, str]) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Have errors of the loading say where: AWS's client leaves that out of failed imports, and of modules that exit."""
    get_handler = getattr(bootstrap, "_get_handler", None)
    if get_handler is None:
        return

    def located(*arguments: object) -> object:
        try:
            return get_handler(*arguments)
        except SystemExit as end:
            raise RuntimeError(f"SystemExit: {end}").with_traceback(end.__traceback__) from None
        except Exception as fault:
            if not getattr(fault, "trace", True):
                setattr(fault, "trace", naming.locate(fault, copies))  # noqa: B010 - AWS's own class
            raise

    setattr(bootstrap, "_get_handler", located)  # noqa: B010 - a module, of whichever version


def _borrow(ours: str) -> bool:
    """Let awslambdaric and what it needs, and nothing else, be found where Headrace has them installed."""
    import os
    from importlib.machinery import EXTENSION_SUFFIXES, PathFinder

    if not any(os.path.exists(os.path.join(ours, "runtime_client" + suffix)) for suffix in EXTENSION_SUFFIXES):
        return False
    borrowed = ("awslambdaric", "runtime_client", "snapshot_restore_py", "simplejson")

    class Borrowed(PathFinder):
        @classmethod
        def find_spec(cls, fullname, path=None, target=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN206
            if path is None and fullname in borrowed:
                return super().find_spec(fullname, [ours], target)
            return None

    for name in [name for name in sys.modules if name.partition(".")[0] in borrowed]:
        del sys.modules[name]
    sys.meta_path.append(Borrowed)
    return True


def _is_there(name: str) -> bool:
    """Whether a top-level module can be found; it is not loaded."""
    from importlib.util import find_spec

    try:
        return find_spec(name) is not None
    except (ImportError, AttributeError, ValueError):
        return name in sys.modules


def _missing_client() -> str:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if sys.version_info < _OLDEST:
        return f"{sys.executable} is Python {version}, and AWS's client (awslambdaric) needs {_OLDEST[0]}.{_OLDEST[1]} or newer"
    return (
        f"{sys.executable} (Python {version}) has no awslambdaric, and Headrace's own is made for another version of "
        f"Python: install it there ({sys.executable} -m pip install awslambdaric)"
    )


def _report(message: str) -> None:
    import http.client
    import json
    import os

    error = {"errorMessage": message, "errorType": "Runtime.ImportModuleError", "requestId": "", "stackTrace": []}
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    headers = {"Lambda-Runtime-Function-Error-Type": "Runtime.ImportModuleError"}
    connection.request("POST", "/2018-06-01/runtime/init/error", json.dumps(error), headers)
    connection.getresponse().read()


if __name__ == "__main__":
    main()
