"""Which folders inside a function's code are neither watched nor copied: they are tools' own, or large and changed by tools."""

from __future__ import annotations

FOLDERS = frozenset(
    {
        *(".git", ".hg", ".svn", ".jj", ".headrace"),
        *("__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".cache", ".tox", ".nox"),
        *(".venv", "venv", "node_modules", ".idea", ".vscode", ".terraform", ".serverless", ".aws-sam", "cdk.out"),
    }
)
"""Folders inside a function's code. One that is the code folder itself is watched, whatever it is called."""
ENVIRONMENT_MARK = "pyvenv.cfg"
"""The file that makes a folder a virtual environment, whatever it is called."""
