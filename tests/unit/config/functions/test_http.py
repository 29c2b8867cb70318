"""``runtime: http``, HTTP endpoints: what is refused before anything is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder


REFUSED = [
    ("runtime: http", "url is missing, expected url, or urls for several endpoints of one function"),
    ("runtime: http, url: 'http://a', urls: ['http://b']", "urls: found it together with url, expected one of them"),
    ("runtime: http, urls: []", "urls: found an empty list, expected at least one URL"),
    ("runtime: http, url: 'ftp://a'", "url: found 'ftp://a', expected a URL (http://HOST:PORT or https://HOST)"),
    ("runtime: http, url: 'http://:80'", "url: found 'http://:80', expected a URL"),
    ("runtime: http, url: 'http://[a'", "url: found 'http://[a', expected a URL"),
    ("runtime: http, url: 'http://a:99999'", "url: found 'http://a:99999', expected a URL"),
    (
        "runtime: http, url: 'http://a', headers: {'A B': x}",
        "headers.A B: found a name or a value that HTTP does not allow",
    ),
    (
        'runtime: http, url: "http://a", headers: {A: "x\\ny"}',
        "headers.A: found a name or a value that HTTP does not allow",
    ),
    (
        "runtime: http, url: 'http://a', tls: {key_file: app.py}",
        "tls.key_file: found a key without cert_file, expected both",
    ),
    ("runtime: http, url: 'http://a', tls: {ca_file: .}", "tls.ca_file: found '.', which is no file ("),
]


@pytest.mark.parametrize(("settings", "fault"), REFUSED)
def test_what_no_endpoint_can_be_is_refused(folder: Folder, settings: str, fault: str) -> None:
    """One fault for one mistake."""
    (found,) = folder.function_faults(settings)

    assert found.startswith(fault)
