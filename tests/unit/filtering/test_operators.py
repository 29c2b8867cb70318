"""Every operator, on AWS's documented examples and on the edges that the documents do not show."""

from __future__ import annotations

import pytest

from pollers.filtering import Pattern
from pollers.jsontext.numbers import decode

EC2_EVENT = """{
  "version": "0", "id": "ddddd4-aaaa-7777-4444-345dd43cc333", "detail-type": "EC2 Instance State-change Notification",
  "source": "aws.ec2", "account": "012345679012", "time": "2017-10-02T16:24:49Z", "region": "us-east-1",
  "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000"],
  "detail": {"c-count": 5, "d-count": 3, "x-limit": 301.8, "source-ip": "10.0.0.33",
             "instance-id": "i-000000aaaaaa00000", "state": "running"}
}"""


def matches(pattern: str, event: str) -> bool:
    """As a filter sees an event that came as text."""
    compiled = Pattern.compile(pattern)
    return compiled.matches(decode(event, keep_number_texts=compiled.needs_number_texts))


@pytest.mark.parametrize(
    "pattern",
    [
        """{"detail-type": ["EC2 Instance State-change Notification"],
            "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000"],
            "detail": {"state": ["initializing", "running"]}}""",
        '{"time": [{"prefix": "2017-10-02"}]}',
        '{"source": [{"suffix": "ec2"}]}',
        '{"source": [{"equals-ignore-case": "AWS.EC2"}]}',
        '{"source": [{"wildcard": "a*s.*2"}]}',
        '{"detail": {"state": [{"anything-but": "initializing"}]}}',
        '{"detail": {"x-limit": [{"anything-but": 123}]}}',
        '{"detail": {"state": [{"anything-but": ["stopped", "overloaded"]}]}}',
        '{"detail": {"x-limit": [{"anything-but": [100, 200, 300]}]}}',
        '{"detail": {"state": [{"anything-but": {"prefix": "init"}}]}}',
        '{"detail": {"state": [{"anything-but": {"prefix": ["init", "stop"]}}]}}',
        '{"detail": {"state": [{"anything-but": {"equals-ignore-case": ["INITIALIZING", "Stopped"]}}]}}',
        '{"detail": {"c-count": [{"numeric": [">", 0, "<=", 5]}], "d-count": [{"numeric": ["<", 10]}],'
        ' "x-limit": [{"numeric": ["=", 3.018e2]}]}}',
        '{"detail": {"source-ip": [{"cidr": "10.0.0.0/24"}]}}',
        '{"detail": {"c-count": [{"exists": true}]}}',
        '{"detail": {"e-count": [{"exists": false}]}}',
        """{"time": [{"prefix": "2017-10-02"}], "detail": {"state": [{"anything-but": "initializing"}],
            "c-count": [{"numeric": [">", 0, "<=", 5]}], "d-count": [{"numeric": ["<", 10]}],
            "x-limit": [{"anything-but": [100, 200, 300]}], "source-ip": [{"cidr": "10.0.0.0/8"}]}}""",
        '{"detail.state": ["running"]}',
    ],
)
def test_documented_patterns_match_the_documented_event(pattern: str) -> None:
    """AWS's own examples match AWS's own event."""
    assert matches(pattern, EC2_EVENT)


@pytest.mark.parametrize(
    "pattern",
    [
        '{"detail": {"state": ["initializing"]}}',
        '{"detail": {"state": ["Running"]}}',
        '{"detail": {"x-limit": [{"numeric": ["<", 301.8]}]}}',
        '{"detail": {"source-ip": [{"cidr": "10.0.1.0/24"}]}}',
        '{"detail": {"state": [{"anything-but": {"suffix": "ing"}}]}}',
        '{"detail": {"c-count": [{"exists": false}]}}',
        '{"detail": {"state": ["running"], "missing": ["x"]}}',
        '{"detail": [{"exists": true}]}',
    ],
)
def test_near_misses_do_not_match(pattern: str) -> None:
    """One condition that fails is enough."""
    assert not matches(pattern, EC2_EVENT)


# The leaf of the pattern, the event's value (None for an absent field), and whether it matches.
VALUES: list[tuple[str, str | None, bool]] = [
    # literals: by type, and numbers by their value (docs/lambda 6.3)
    ('["Alice"]', '"Alice"', True),
    ('["Alice"]', '"alice"', False),
    ('["Alice", "Bob"]', '"Bob"', True),
    ('[""]', '""', True),
    ('[""]', "null", False),
    ('[""]', None, False),
    ("[null]", "null", True),
    ("[null]", '""', False),
    ("[null]", None, False),
    ("[true]", "true", True),
    ("[true]", "1", False),
    ("[true]", '"true"', False),
    ("[1]", "true", False),
    ("[0]", "false", False),
    ("[false]", "0", False),
    ("[300]", "300", True),
    ("[300]", "300.0", True),
    ("[300]", "3.0e2", True),
    ("[300]", '"300"', False),
    ("[300.0]", "300", True),
    ("[300.0]", "300.0", True),
    ("[300.0]", "300.00", True),
    ("[3.0e2]", "3.0e2", True),
    ("[3.0e2]", "3.0E2", True),
    ("[3.0e2]", "300", True),
    ('["300"]', "300", False),
    ("[12345678901234567890123]", "12345678901234567890123", True),
    ("[12345678901234567890123]", "12345678901234567890124", False),
    ("[18446744073709551616]", "18446744073709551616", True),
    ("[18446744073709551615]", "18446744073709551615", True),
    ("[1e400]", "1e400", True),
    ("[1e400]", "1e401", False),
    ("[1e400]", "10.0E399", True),
    ("[-1e400]", "1e400", False),
    ("[1e99999999999999999999]", "1E99999999999999999999", True),
    ("[1e99999999999999999999]", "1e400", False),
    ("[100]", "1e2", True),
    ("[100]", "100.5", False),
    ("[0]", "-0", True),
    ("[0]", "-0.0", True),
    ("[0]", "0e999", True),
    ("[-0]", "0", True),
    ("[1]", "1.0", True),
    ("[1.0]", "true", False),
    ("[0.1]", "1e-1", True),
    ("[9007199254740993]", "9007199254740992", False),
    ("[9007199254740993]", "9007199254740993", True),
    ("[9007199254740993.5]", "9007199254740993", False),
    ("[9007199254740993.0]", "9007199254740993", True),
    ("[9007199254740993.0]", "9007199254740992", False),
    ("[18446744073709551616]", "1.8446744073709551616e19", True),
    ("[18446744073709551616]", "18446744073709551617", False),
    ("[18446744073709551616]", "18446744073709551615", False),
    ("[12345678901234567890123]", "1.2345678901234567890123E22", True),
    ('[{"anything-but": 100}]', "1e2", False),
    ('[{"anything-but": [100, 200]}]', "100.01", True),
    ('[{"anything-but": 1}]', "true", True),
    ('["\\u00e9"]', '"é"', True),
    ('["é"]', '"e\\u0301"', False),
    # strings that are numbers or booleans are strings
    ('[{"prefix": "3"}]', "300", False),
    ('[{"suffix": "0"}]', "300", False),
    ('[{"wildcard": "*"}]', "300", False),
    ('[{"equals-ignore-case": "true"}]', "true", False),
    # prefix and suffix
    ('[{"prefix": "us-"}]', '"us-east-1"', True),
    ('[{"prefix": "us-"}]', '"us-"', True),
    ('[{"prefix": "us-"}]', '"eu-us-"', False),
    ('[{"prefix": "us-"}]', '"US-"', False),
    ('[{"prefix": ""}]', '""', True),
    ('[{"prefix": ""}]', "null", False),
    ('[{"suffix": ".png"}]', '"a.png"', True),
    ('[{"suffix": ".png"}]', '"a.PNG"', False),
    ('[{"suffix": ".png"}]', '".pn"', False),
    ('[{"prefix": {"equals-ignore-case": "EventB"}}]', '"eventbridge"', True),
    ('[{"prefix": {"equals-ignore-case": "EventB"}}]', '"EVENTBRIDGE"', True),
    ('[{"prefix": {"equals-ignore-case": "EventB"}}]', '"event"', False),
    ('[{"suffix": {"equals-ignore-case": ".png"}}]', '"A.PnG"', True),
    ('[{"suffix": {"equals-ignore-case": ".png"}}]', '"png"', False),
    # without regard to case: each character of the pattern in either case, full Unicode mappings, no other folding
    ('[{"equals-ignore-case": "aLiCe"}]', '"AlIcE"', True),
    ('[{"equals-ignore-case": "alice"}]', '"alices"', False),
    ('[{"equals-ignore-case": "straße"}]', '"STRASSE"', True),
    ('[{"equals-ignore-case": "STRASSE"}]', '"straße"', False),
    ('[{"equals-ignore-case": "k"}]', '"\\u212a"', False),
    ('[{"equals-ignore-case": "\\u212a"}]', '"k"', True),
    ('[{"equals-ignore-case": "ÉCOLE"}]', '"école"', True),
    ('[{"equals-ignore-case": "İ"}]', '"i\\u0307"', True),
    ('[{"equals-ignore-case": "ǆ"}]', '"Ǆ"', True),
    ('[{"equals-ignore-case": "𐐀"}]', '"𐐨"', True),
    ('[{"equals-ignore-case": ""}]', '""', True),
    # anything-but: any leaf value of any type but those; never an absent field
    ('[{"anything-but": "x"}]', '"y"', True),
    ('[{"anything-but": "x"}]', '"x"', False),
    ('[{"anything-but": "x"}]', None, False),
    ('[{"anything-but": "x"}]', "null", True),
    ('[{"anything-but": "x"}]', "5", True),
    ('[{"anything-but": "5"}]', "5", True),
    ('[{"anything-but": 5}]', "5", False),
    ('[{"anything-but": 5}]', '"5"', True),
    ('[{"anything-but": [5, 6]}]', "6", False),
    ('[{"anything-but": "101"}]', '"101"', False),
    ('[{"anything-but": ["Raining"]}]', '"Sunny"', True),
    ('[{"anything-but": {"prefix": "init"}}]', '"initializing"', False),
    ('[{"anything-but": {"prefix": "init"}}]', "7", True),
    ('[{"anything-but": {"suffix": [".txt", ".rtf"]}}]', '"a.rtf"', False),
    ('[{"anything-but": {"suffix": [".txt", ".rtf"]}}]', '"a.png"', True),
    ('[{"anything-but": {"wildcard": "*/lib/*"}}]', '"/usr/lib/x"', False),
    ('[{"anything-but": {"wildcard": ["*/lib/*", "*/bin/*"]}}]', '"/usr/bin/x"', False),
    ('[{"anything-but": {"wildcard": ["*/lib/*", "*/bin/*"]}}]', '"/usr/share/x"', True),
    ('[{"anything-but": {"equals-ignore-case": "initializing"}}]', '"INITIALIZING"', False),
    ('[{"anything-but": {"equals-ignore-case": "initializing"}}]', None, False),
    # one entry of the leaf is enough
    ('[{"anything-but": "x"}, "x"]', '"x"', True),
    ('[{"exists": false}, "x"]', None, True),
    ('[{"exists": false}, "x"]', '"x"', True),
    ('[{"exists": false}, "x"]', '"y"', False),
    ('[{"exists": false}, {"exists": true}]', None, True),
    # numeric: JSON numbers only, as doubles, within 2^53
    ('[{"numeric": ["=", 100]}]', "100", True),
    ('[{"numeric": ["=", 100]}]', "1.0e2", True),
    ('[{"numeric": ["=", 100]}]', '"100"', False),
    ('[{"numeric": ["=", 1]}]', "true", False),
    ('[{"numeric": ["=", 0.3]}]', "0.30", True),
    ('[{"numeric": [">", 10, "<=", 20]}]', "10", False),
    ('[{"numeric": [">", 10, "<=", 20]}]', "20", True),
    ('[{"numeric": [">=", 10, "<", 20]}]', "10", True),
    ('[{"numeric": [">=", 10, "<", 20]}]', "20", False),
    ('[{"numeric": [">=", 10, "<=", 20]}]', "20.0", True),
    ('[{"numeric": ["<", 0]}]', "-0.5", True),
    ('[{"numeric": ["<=", 9007199254740992]}]', "9007199254740992", True),
    ('[{"numeric": [">", 0]}]', "9007199254740993", False),
    ('[{"numeric": [">", 0]}]', "1e300", False),
    ('[{"numeric": [">", 0]}]', "1e400", False),
    ('[{"numeric": ["<", 0]}]', "-9007199254740993", False),
    ('[{"numeric": [">", 0]}]', "null", False),
    ('[{"numeric": ["=", 0]}]', None, False),
    # exists: on leaf values only
    ('[{"exists": true}]', "null", True),
    ('[{"exists": true}]', '""', True),
    ('[{"exists": true}]', "false", True),
    ('[{"exists": true}]', "[]", False),
    ('[{"exists": true}]', "{}", False),
    ('[{"exists": true}]', '{"street": "Main"}', False),
    ('[{"exists": true}]', "[1]", True),
    ('[{"exists": true}]', '[{"x": 1}]', False),
    ('[{"exists": false}]', None, True),
    ('[{"exists": false}]', "null", False),
    ('[{"exists": false}]', "[]", True),
    ('[{"exists": false}]', "{}", True),
    ('[{"exists": false}]', '{"c1": 100}', True),
    ('[{"exists": false}]', '[{"x": 1}]', True),
    # arrays: any element, and the elements of arrays in arrays
    ('["b"]', '["a", "b"]', True),
    ('["c"]', '["a", "b"]', False),
    ('["b"]', '[["a"], ["b"]]', True),
    ('["b"]', '[[[[["b"]]]]]', True),
    ('[{"anything-but": "a"}]', '["a", "b"]', True),
    ('[{"anything-but": "a"}]', '["a", "a"]', False),
    ('[{"anything-but": "a"}]', "[]", False),
    ('[{"numeric": [">", 0, "<", 10]}]', "[100, 5, 200]", True),
    # cidr
    ('[{"cidr": "10.0.0.0/24"}]', '"10.0.0.255"', True),
    ('[{"cidr": "10.0.0.0/24"}]', '"10.0.1.0"', False),
    ('[{"cidr": "10.0.0.77/24"}]', '"10.0.0.1"', True),
    ('[{"cidr": "10.0.0.1/32"}]', '"10.0.0.1"', True),
    ('[{"cidr": "0.0.0.0/0"}]', '"255.255.255.255"', True),
    ('[{"cidr": "0.0.0.0/0"}]', '"::1"', False),
    ('[{"cidr": "10.0.0.0/8"}]', '"10.0.0"', False),
    ('[{"cidr": "10.0.0.0/8"}]', '"10.0.0.1 "', False),
    ('[{"cidr": "10.0.0.0/8"}]', '"10.0.0.256"', False),
    ('[{"cidr": "10.0.0.0/8"}]', '"example.com"', False),
    ('[{"cidr": "10.0.0.0/8"}]', "10", False),
    ('[{"cidr": "10.0.0.0/8"}]', '"::ffff:a00:1"', True),
    ('[{"cidr": "2001:db8::/32"}]', '"2001:DB8:0:1::5"', True),
    ('[{"cidr": "2001:db8::/32"}]', '"2001:db9::5"', False),
    ('[{"cidr": "::1/128"}]', '"0:0:0:0:0:0:0:1"', True),
    ('[{"cidr": "::/0"}]', '"\\ud800::"', False),
    ('[{"cidr": "::/0"}]', '"\\u0000"', False),
    # wildcard
    ('[{"wildcard": "dir/*.png"}]', '"dir/a/b.png"', True),
    ('[{"wildcard": "dir/*.png"}]', '"dir/.png"', True),
    ('[{"wildcard": "dir/*.png"}]', '"dir/a.PNG"', False),
    ('[{"wildcard": "*"}]', '""', True),
    ('[{"wildcard": ""}]', '""', True),
    ('[{"wildcard": ""}]', '"a"', False),
    ('[{"wildcard": "a*a"}]', '"a"', False),
    ('[{"wildcard": "*ab*ab*"}]', '"xabxabx"', True),
    ('[{"wildcard": "*ab*ab"}]', '"xab"', False),
    ('[{"wildcard": "a\\\\*b"}]', '"a*b"', True),
    ('[{"wildcard": "a\\\\*b"}]', '"axb"', False),
    ('[{"wildcard": "a\\\\\\\\b"}]', '"a\\\\b"', True),
    ('[{"wildcard": "*\\\\**"}]', '"a*b"', True),
    ('[{"exactly": "x"}]', '"x"', True),
    ('[{"exactly": "x"}]', '"X"', False),
]


@pytest.mark.parametrize(("leaf", "value", "expected"), VALUES)
def test_leaf_on_value(leaf: str, value: str | None, expected: bool) -> None:
    """Each entry of a leaf takes the values that it stands for, and no other."""
    event = '{"other": 1}' if value is None else f'{{"f": {value}}}'
    assert matches(f'{{"f": {leaf}}}', event) is expected


@pytest.mark.parametrize("event", ["[]", '["f"]', '"f"', "1", "null", "true", "[{}]"])
def test_only_objects_match(event: str) -> None:
    """What is no object matches nothing, not even a pattern of absence."""
    assert not matches('{"f": [{"exists": false}]}', event)


def test_every_characters_cases_are_told_apart_by_their_beginnings() -> None:
    """No spelling of a character begins or ends another: the first that fits is the only one."""
    for code in range(0x110000):
        character = chr(code)
        spellings = {character, character.lower(), character.upper()}
        for one in spellings:
            for other in spellings - {one}:
                assert not one.startswith(other), hex(code)
                assert not one.endswith(other), hex(code)
