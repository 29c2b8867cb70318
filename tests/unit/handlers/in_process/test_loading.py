"""What a handler that cannot be loaded is told, and what a folder's code finds when it imports."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from config.models import InProcessFunction as Model
from handlers.errors import FunctionUnusable
from handlers.function import Payload
from handlers.in_process.function import InProcessFunction
from handlers.in_process.loading import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from handlers.in_process.loading import Handler

    Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a folder's files, each a path without ``.py`` and its code."""

    def write(folder: str = "code", **files: str) -> Path:
        for name, code in files.items():
            path = tmp_path / folder / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(code))
        return tmp_path / folder

    return write


def loaded(code: Path, handler: str = "app.handler") -> Handler:
    return load("orders", code, handler)


def refusal(code: Path, handler: str = "app.handler") -> str:
    before = {name for name in sys.modules if "function:" in name}
    with pytest.raises(FunctionUnusable) as raised:
        load("orders", code, handler)
    assert {name for name in sys.modules if "function:" in name} <= before
    return str(raised.value).replace(str(code), "CODE")


def called(code: Path, handler: str = "app.handler") -> object:
    found = loaded(code, handler)
    try:
        return found.call({}, None)
    finally:
        found.namespace.unload()


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    """Names it."""
    assert refusal(tmp_path / "gone").endswith(
        "code: CODE does not exist; the folder that holds the handler would be right"
    )


def test_a_file_in_place_of_a_folder(write: Write) -> None:
    """Says so."""
    assert "code: CODE is a file;" in refusal(write(app="") / "app.py")


@pytest.mark.parametrize(
    "handler", ["handler", "app", "app.", ".handler", "app.1x", "a b.c", "../app.handler", "app..h"]
)
def test_a_handler_that_has_no_module_and_function(write: Write, handler: str) -> None:
    """Shows the right form."""
    message = refusal(write(app="def handler(e, c): pass"), handler)

    assert message == f"function orders: handler: {handler!r} is not of the form module.function (app.handler)"


def test_a_module_that_does_not_exist(write: Write) -> None:
    """Names the closest that does, or the file that would be right."""
    code = write(orders="", util="")

    assert refusal(code, "order.handler").endswith("handler: no module 'order' in CODE; did you mean 'orders'?")
    assert refusal(code, "xyzzy.handler").endswith("handler: no module 'xyzzy' in CODE; CODE/xyzzy.py would be right")


def test_a_module_of_a_package_that_does_not_exist(write: Write) -> None:
    """Names the file that would be right."""
    code = write(**{"shop/__init__": ""})

    assert refusal(code, "shop.orders.handler").endswith(
        "no module 'shop.orders' in CODE; CODE/shop/orders.py would be right"
    )


def test_an_installed_module_is_not_the_folder_s(write: Write) -> None:
    """A handler is never found outside its folder."""
    assert "no module 'json' in CODE" in refusal(write(app=""), "json.loads")


def test_a_module_that_raises_when_it_is_imported(write: Write) -> None:
    """File, line and error of the user's own code."""
    code = write(app="import helper", helper="x = 1\nraise RuntimeError('no database')\n")

    assert refusal(code).endswith("CODE/helper.py:2: cannot be imported: RuntimeError: no database")


@pytest.mark.parametrize("statement", ["raise SystemExit(3)", "raise KeyboardInterrupt", "import sys; sys.exit()"])
def test_a_module_that_exits_when_it_is_imported(write: Write, statement: str) -> None:
    """That ends nothing but the load."""
    assert "CODE/app.py:1: cannot be imported: " in refusal(write(app=statement))


def test_a_module_with_a_syntax_error(write: Write) -> None:
    """Its line."""
    assert refusal(write(app="x = 1\ndef handler(:\n")).endswith(
        "CODE/app.py:2: cannot be imported: SyntaxError: invalid syntax"
    )


def test_a_module_that_needs_what_is_not_installed(write: Write) -> None:
    """With what to do about it."""
    message = refusal(write(app="x = 1\nimport surely_not_installed"))

    assert "CODE/app.py:2: cannot be imported: ModuleNotFoundError: No module named 'surely_not_installed'" in message
    assert message.endswith("; install it beside Headrace, or put it into the folder, or use runtime: python")


def test_a_handler_that_does_not_exist(write: Write) -> None:
    """Names the closest callable of the module."""
    code = write(app="def handle(event, context): pass\nhandles = 1")

    assert refusal(code).endswith("no 'handler' in CODE/app.py; did you mean 'handle'?")
    assert refusal(code, "app.xyzzy").endswith(
        "no 'xyzzy' in CODE/app.py; def xyzzy(event, context) in it would be right"
    )


def test_a_handler_that_is_not_callable(write: Write) -> None:
    """Says of what type it is."""
    assert refusal(write(app="handler = {}")).endswith(
        "app.handler in CODE/app.py is not callable (it is of type dict); def handler(event, context) would be right"
    )


@pytest.mark.parametrize(
    "signature", ["()", "(event)", "(event, context, more)", "(*, event, context)", "(event, *, context)"]
)
def test_a_handler_with_the_wrong_number_of_arguments(write: Write, signature: str) -> None:
    """Shows its signature."""
    message = refusal(write(app=f"def handler{signature}: pass"))

    assert message.endswith(
        f"app.handler{signature} in CODE/app.py does not take two arguments; (event, context) would be right"
    )


@pytest.mark.parametrize(
    "signature", ["(event, context)", "(event, context=None)", "(*args)", "(a, /, b, c=1, **more)"]
)
def test_a_handler_that_can_be_called_with_two_arguments(write: Write, signature: str) -> None:
    """Whatever they are called."""
    assert called(write(app=f"def handler{signature}: return 'called'")) == "called"


@pytest.mark.parametrize("name", ["config", "handlers", "pollers"])
@pytest.mark.parametrize("path", ["{}", "{}/__init__", "{}/inner"])
def test_a_module_named_like_one_of_headrace_s_packages(write: Write, name: str, path: str) -> None:
    """Is refused, with the way out (docs/design, decision 5)."""
    code = write(app="def handler(event, context): pass", **{path.format(name): ""})

    assert refusal(code).endswith(
        f"CODE brings a module named {name}, which is one of Headrace's own packages; "
        "use runtime: python, where the function has a process of its own"
    )


def test_a_folder_of_data_may_have_any_name(write: Write) -> None:
    """``config/settings.yaml`` is no module."""
    code = write(app="def handler(event, context): return 'fine'")
    (code / "config").mkdir()
    (code / "config" / "settings.yaml").write_text("a: 1")

    assert called(code) == "fine"


@pytest.mark.parametrize("name", ["config", "handlers.function", "pollers.cli"])
def test_headrace_s_own_packages_are_not_there_for_user_code(write: Write, name: str) -> None:
    """An import of one is a mistake that would go unnoticed here and fail on Lambda."""
    assert f"No module named {name!r}" in refusal(write(app=f"import {name}"))


def test_the_handler_may_be_in_a_package(write: Write) -> None:
    """Dotted, or with Lambda's slashes; relative imports and packages' own names work."""
    orders = """
        from . import NAME
        from .prices import price
        import shop.prices
        from shop import prices
        def handler(event, context): return [NAME, price(), shop.prices.price(), prices.price(), shop.NAME]
    """
    code = write(**{"shop/__init__": "NAME = 'shop'", "shop/orders": orders, "shop/prices": "def price(): return 7"})

    assert called(code, "shop.orders.handler") == ["shop", 7, 7, 7, "shop"]
    assert called(code, "shop/orders.handler") == ["shop", 7, 7, 7, "shop"]


def test_two_functions_may_have_modules_of_the_same_names(write: Write) -> None:
    """Each finds its own ``app`` and its own ``models``, also when it imports inside the handler."""
    app = """
        import models
        def handler(event, context):
            import late
            from package.inner import WHO
            return [models.WHO, late.WHO, WHO]
    """
    for who in ("first", "second"):
        write(who, app=app, models=f"WHO = {who!r}", late=f"WHO = {who!r}", **{"package/inner": f"WHO = {who!r}"})
    folder = write("first")
    one, two = load("orders", folder, "app.handler"), load("audit", folder.parent / "second", "app.handler")
    try:
        assert two.call({}, None) == ["second"] * 3
        assert one.call({}, None) == ["first"] * 3
        assert "app" not in sys.modules
        assert "models" not in sys.modules
        assert str(folder) not in sys.path
    finally:
        one.namespace.unload()
        two.namespace.unload()


def test_loading_a_function_twice_gives_it_fresh_modules(write: Write) -> None:
    """As two environments on Lambda share nothing."""
    code = write(app="count = 0\ndef handler(e, c):\n    global count\n    count += 1\n    return count")
    one, two = loaded(code), loaded(code)
    try:
        assert [one.call({}, None), one.call({}, None), two.call({}, None)] == [1, 2, 1]
    finally:
        one.namespace.unload()
        two.namespace.unload()


def test_unloading_forgets_every_module(write: Write) -> None:
    """Nothing of a function that was left stays behind."""
    found = loaded(write(app="import helper\ndef handler(e, c): pass", helper=""))
    own = found.namespace.name
    assert {own, f"{own}.app", f"{own}.helper"} <= sys.modules.keys()

    found.namespace.unload()

    assert not {name for name in sys.modules if name.partition(".")[0] == own}


def test_modules_can_be_found_by_their_names(write: Write) -> None:
    """Dataclasses, pickles, type hints and loggers look a class's module up; it is there."""
    found = loaded(
        write(
            app="""
                from __future__ import annotations
                import logging, pickle, typing
                from dataclasses import dataclass
                log = logging.getLogger(__name__)
                @dataclass
                class Order:
                    id: str
                    parts: list[Order]
                def handler(event, context):
                    back = pickle.loads(pickle.dumps(Order("a", [])))
                    return [back == Order("a", []), sorted(typing.get_type_hints(Order)), log.name == __name__]
            """
        )
    )
    try:
        assert found.call({}, None) == [True, ["id", "parts"], True]
    finally:
        found.namespace.unload()


def test_import_module_finds_the_folder_s_modules(write: Write) -> None:
    """However user code comes by it; relative names, other packages and later submodules work as ever."""
    code = write(
        app="""
            import importlib, importlib.util
            from importlib import import_module
            def handler(event, context):
                import importlib.metadata
                return [importlib.import_module("plugins.one").NAME, import_module("plugins").__name__[-7:],
                        importlib.import_module(".one", __package__ + ".plugins").NAME,
                        importlib.import_module("json.decoder").__name__, importlib.util.find_spec("json") is not None,
                        importlib.metadata.__name__]
        """,
        **{"plugins/__init__": "", "plugins/one": "NAME = 'one'"},
    )

    assert called(code) == ["one", "plugins", "one", "json.decoder", True, "importlib.metadata"]


def test_an_import_error_reads_as_it_would_on_lambda(write: Write) -> None:
    """Without the private name of the function's modules."""
    code = write(
        app="""
            def handler(event, context):
                said = []
                try:
                    import helper.missing
                except ModuleNotFoundError as error:
                    said += [str(error), error.name]
                return said
        """,
        helper="",
    )

    assert called(code) == [
        "No module named 'helper.missing'; 'helper' is not a package",
        "helper.missing",
    ]


def test_a_module_that_is_vendored_wins_over_an_installed_one(write: Write) -> None:
    """The folder comes first, as it does on Lambda; Headrace's own copy is not touched."""
    code = write(app="import click\ndef handler(e, c): return click.WHO", click="WHO = 'vendored'")
    import click

    assert called(code) == "vendored"
    assert not hasattr(click, "WHO")


def test_the_standard_library_that_is_loaded_wins_over_the_folder(write: Write) -> None:
    """As on Lambda, where AWS's client has loaded it already."""
    code = write(app="import typing\ndef handler(e, c): return typing.Any is not None", typing="raise SystemError")

    assert called(code) is True


def test_a_plain_folder_does_not_hide_an_installed_package(write: Write) -> None:
    """A folder of data called ``click`` is no package."""
    code = write(app="import click\ndef handler(e, c): return click.__file__ is not None")
    (code / "click").mkdir()

    assert called(code) is True


async def test_handlers_import_each_their_own_while_they_run_side_by_side(write: Write) -> None:
    """First imports inside handlers of two functions at the same time do not mix."""
    for who in ("first", "second"):
        write(who, app="def handler(event, context):\n    import late\n    return late.WHO", late=f"WHO = {who!r}")
    folder = write("first").parent

    def function(who: str) -> InProcessFunction:
        model = Model(runtime="in_process", code=folder / who, handler="app.handler", concurrency=4)
        return InProcessFunction(who, "arn", model)

    async with function("first") as one, function("second") as two:
        done = await asyncio.gather(*(f.invoke(b"{}", request_id="r") for f in [one, two] * 4))

    assert [invocation.result for invocation in done] == [Payload(b'"first"'), Payload(b'"second"')] * 4


@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), KeyboardInterrupt()])
async def test_whatever_keeps_it_from_being_started_is_told_at_once(
    write: Write, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """Not only what is wrong with the code: nobody waits for the limit of a load."""

    def fails(*arguments: object) -> None:
        raise error

    monkeypatch.setattr("handlers.in_process.function.load", fails)
    code = write(app="def handler(event, context): ...")
    model = Model(runtime="in_process", code=code, handler="app.handler")
    async with asyncio.timeout(30):
        with pytest.raises(FunctionUnusable, match=f"could not be started: {type(error).__name__}"):
            await InProcessFunction("orders", "arn", model).__aenter__()
