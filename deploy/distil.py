"""Copies what a Python environment needs around itself into an empty directory, which becomes the image's root.

Run by `deploy/Dockerfile` with the system's Python: `distil.py ENVIRONMENT ROOT`. In go the interpreter and its
standard library, the shared libraries that they and the environment load, certificates, and the few files below /etc
that the C library reads. Of every Debian package that a file is from, its entry goes below /var/lib/dpkg/status.d,
where scanners look for it. The environment itself is copied by the Dockerfile.
"""

import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

USER = 65532
STATE = "var/lib/copper-bridge"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
LOADED_LATE = ("libgcc_s.so.1",)
"""What glibc opens by itself, to end a thread."""
NOT_NEEDED = (
    *("test", "idlelib", "tkinter", "turtledemo", "turtle.py", "ensurepip", "lib2to3", "pydoc_data"),
    *("site-packages", "dist-packages", "config-*", "__pycache__"),
    *(f"{module}.*" for module in ("_tkinter", "readline", "_curses", "_curses_panel", "_dbm", "_gdbm", "nis")),
)
FILES = {
    "etc/passwd": f"root:x:0:0::/:/none\nbridge:x:{USER}:{USER}::/{STATE}:/none\n",
    "etc/group": f"root:x:0:\nbridge:x:{USER}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


def main(environment: Path, root: Path) -> None:
    """Fill `root`."""
    _frame(root)
    interpreter, library = Path(sys.executable).resolve(), Path(sysconfig.get_path("stdlib"))
    _copy(interpreter, root)
    if not (link := _inside((environment / "bin/python3").readlink(), root)).exists():
        link.symlink_to(interpreter)
    shutil.copytree(library, _inside(library, root), ignore=shutil.ignore_patterns(*NOT_NEEDED))
    loaded = set(_libraries([interpreter, *_binaries(root), *_binaries(environment)], environment))
    for path in {CERTIFICATES, *loaded}:
        _copy(path, root)
    subprocess.run(["ldconfig", "-r", root], check=True)
    _packages({interpreter, library / "os.py", CERTIFICATES, *loaded}, root / "var/lib/dpkg/status.d")
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(_inside(library, root), quiet=1, stripdir=str(root), prependdir="/", invalidation_mode=mode)


def _frame(root: Path) -> None:
    """The directories and files that need no source; /lib and the like are links where Debian has links."""
    root.mkdir()
    for name in ("bin", "lib", "lib64"):
        if (link := Path("/", name)).is_symlink():
            (root / name).symlink_to(link.readlink())
            (root / link.readlink()).mkdir(parents=True, exist_ok=True)
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    shutil.copy("/etc/os-release", root / "etc/os-release")
    shutil.copy("/etc/ld.so.conf", root / "etc/ld.so.conf")
    shutil.copytree("/etc/ld.so.conf.d", root / "etc/ld.so.conf.d")
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    (root / STATE).mkdir(parents=True)
    os.chown(root / STATE, USER, USER)


def _inside(path: Path, root: Path) -> Path:
    """Where a file of this system lies below `root`; links to directories are resolved, its own name stays."""
    return root / path.parent.resolve().relative_to("/") / path.name


def _copy(path: Path, root: Path) -> None:
    target = _inside(path, root)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)


def _binaries(below: Path) -> Iterator[Path]:
    for path in below.rglob("*.so*"):
        if path.is_file() and path.open("rb").read(4) == b"\x7fELF":
            yield path


def _libraries(binaries: Iterable[Path], environment: Path) -> Iterator[Path]:
    """The libraries of the system that these files load, and those that are loaded late."""
    told = subprocess.run(["ldd", *binaries], check=True, capture_output=True, text=True).stdout
    if missing := re.findall(r"^\s+(\S+ => not found)", told, re.MULTILINE):
        sys.exit(f"not in this image: {missing}")
    found = {Path(path) for path in re.findall(r"(/\S+) \(0x", told)}
    beside = next(path.parent for path in found if path.name.startswith("libc.so"))
    for path in {*found, *(beside / name for name in LOADED_LATE)}:
        if not path.is_relative_to(environment):
            yield path


def _packages(files: Iterable[Path], directory: Path) -> None:
    """The entries of the packages that these files are from; a Python that was built has none."""
    real = {str(path.resolve()) for path in files}
    names = sorted(real | {name.removeprefix("/usr") for name in real})  # Debian lists some under the link /lib
    told = subprocess.run(["dpkg", "-S", *names], check=False, capture_output=True, text=True).stdout
    packages = sorted(set(re.findall(r"^([^\s,]+): /", told, re.MULTILINE)))
    directory.mkdir(parents=True)
    for package in packages:
        entry = subprocess.run(["dpkg-query", "--status", package], check=True, capture_output=True, text=True).stdout
        (directory / package.partition(":")[0]).write_text(entry)


main(Path(sys.argv[1]), Path(sys.argv[2]))
