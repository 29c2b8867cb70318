"""AWS's own runtime client for Node.js (npm ``aws-lambda-ric``), built once into the cache.

Its own installation script needs autoconf, automake and libtool to build curl. Here curl is built with cmake instead
(which pip can install), so that a C++ compiler and make are all that a machine must have. The client's sources are
AWS's, unchanged.
"""

from __future__ import annotations

import shutil
import sys
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.emulators.cache import step
from pollers.emulators.errors import InstallFailed

if TYPE_CHECKING:
    from pathlib import Path

_CURL_OPTIONS = (
    "BUILD_SHARED_LIBS=OFF",
    "BUILD_CURL_EXE=OFF",
    "BUILD_TESTING=OFF",
    "HTTP_ONLY=ON",
    "CURL_ENABLE_SSL=OFF",
    "CURL_ZLIB=OFF",
    "CMAKE_USE_LIBSSH2=OFF",
    "USE_LIBIDN2=OFF",
    "ENABLE_UNIX_SOCKETS=OFF",
    "ENABLE_MANUAL=OFF",
    "ENABLE_IPV6=OFF",
)
_UNUSED_HEADERS = ("uv.h", "v8.h", "node.h")
"""Included by the client and not used: all that it calls is Node-API, whose headers come from npm."""

NPM_DAY = "2026-11-28"
"""What the named packages need is taken as of this day, so that it is the same on every later one."""

_INCLUDES = ("node-api-headers/include", "node-addon-api")


@dataclass(frozen=True, slots=True)
class NodeClient:
    """``aws-lambda-ric`` as something that the emulators' cache can install."""

    name: str = "aws-lambda-ric"
    version: str = "3.3.0"
    revision: str = "2"

    def install(self, folder: Path) -> None:
        """Fetch the packages, then build curl, AWS's C++ library and the client's native part."""
        compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
        if compiler is None:
            raise InstallFailed("aws-lambda-ric cannot be built: no C++ compiler (c++, g++ or clang++) on the PATH")
        packages = [f"aws-lambda-ric@{self.version}", "node-api-headers@1.9.0"]
        options = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--prefix", str(folder)]
        options += ["--before", NPM_DAY]
        step(["npm", "install", *options, *packages], folder=folder)
        client = folder / "node_modules" / "aws-lambda-ric"
        artifacts = folder / "artifacts"
        cmake = _cmake(folder)
        for source, more in (("curl-*", _CURL_OPTIONS), ("aws-lambda-cpp-*", (f"CMAKE_PREFIX_PATH={artifacts}",))):
            _build(cmake, _unpacked(client / "deps", source, folder / "sources"), artifacts, more, folder)
        stubs = folder / "stubs"
        stubs.mkdir()
        for name in _UNUSED_HEADERS:
            (stubs / name).touch()
        includes = [artifacts / "include", stubs, *(folder / "node_modules" / name for name in _INCLUDES)]
        step(
            [
                *(compiler, "-std=c++17", "-O2", "-shared", "-fPIC", "-fexceptions"),
                *("-DNAPI_CPP_EXCEPTIONS", "-DNODE_GYP_MODULE_NAME=rapid_client"),
                *(f"-I{include}" for include in includes),
                client / "src" / "rapid-client.cc",
                *(f"-L{artifacts / 'lib'}", "-laws-lambda-runtime", "-lcurl"),
                *("-o", client / "dist" / "rapid-client.node"),
            ],
            folder=folder,
        )


def executable(folder: Path) -> Path:
    """What runs a handler: ``node EXECUTABLE app.handler``, in the handler's folder."""
    return folder / "node_modules" / "aws-lambda-ric" / "bin" / "index.mjs"


def _cmake(folder: Path) -> str:
    if found := shutil.which("cmake"):
        return found
    step([sys.executable, "-m", "venv", folder / "venv"], folder=folder)
    step([folder / "venv" / "bin" / "python", "-m", "pip", "install", "cmake==4.4.5"], folder=folder)
    return str(folder / "venv" / "bin" / "cmake")


def _unpacked(archives: Path, pattern: str, target: Path) -> Path:
    (archive,) = archives.glob(f"{pattern}.tar.gz")
    inside = target / pattern.rstrip("-*")
    with tarfile.open(archive) as opened:
        opened.extractall(inside, filter="data")
    (found,) = inside.iterdir()
    return found


def _build(cmake: str, source: Path, artifacts: Path, options: tuple[str, ...], folder: Path) -> None:
    common = (
        f"CMAKE_INSTALL_PREFIX={artifacts}",
        "CMAKE_INSTALL_LIBDIR=lib",
        "CMAKE_BUILD_TYPE=Release",
        "CMAKE_POSITION_INDEPENDENT_CODE=ON",
        "CMAKE_POLICY_VERSION_MINIMUM=3.5",
    )
    build = source.with_name("build")
    step([cmake, "-S", source, "-B", build, *(f"-D{option}" for option in (*common, *options))], folder=folder)
    step([cmake, "--build", build, "--target", "install", "--parallel", "2"], folder=folder)
