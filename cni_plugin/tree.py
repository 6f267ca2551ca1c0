"""Makes an interpreter tree for the plugin, so that a node needs neither Python nor a matching C library.

    python3.11 cni_plugin/tree.py --version 1.2.3 --output DIRECTORY

makes DIRECTORY/<version>-<digest>/ and DIRECTORY/tke-route-eni, which is run by that interpreter once the
tree is at /opt/tke-eni/<version>-<digest>. The tree holds the python binary, the libraries that it is linked
with, the dynamic loader, and the modules that every start of an interpreter needs. patchelf (0.14 or later)
writes loader and library path into the binary, because an interpreter line can name one program only.

Same interpreter, sources and version give the same names and bytes.
"""

import argparse
import hashlib
import py_compile
import re
import shutil
import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_TREES = "/opt/tke-eni"
_LIBRARY = "lib/python3.11"
_ENCODINGS = ("__init__", "aliases", "utf_8")
"""What `-I -S` imports besides the modules that are frozen into the binary."""
_LANDMARK = (
    "# Marks this directory as the standard library (getpath.py); what is needed of it is frozen or beside.\n"
)
_SHARED_OBJECT = re.compile(r"(?:=> )?(/\S+) \(0x")


def make_tree(version: str, output: Path) -> Path:
    """Make tree and plugin; return the tree's directory."""
    tree = output / ".new"
    shutil.rmtree(tree, ignore_errors=True)
    _copy_interpreter(tree)
    _compile_modules(tree)
    digest = _digest(tree, _plugin(output, f"{_TREES}/0"))
    name = f"{version}-{digest}"
    _set_paths(tree, f"{_TREES}/{name}")
    plugin = _plugin(output, f"{_TREES}/{name}")
    final = output / name
    shutil.rmtree(final, ignore_errors=True)
    tree.rename(final)
    plugin.rename(output / "tke-route-eni")
    return final


def _copy_interpreter(tree: Path) -> None:
    for directory in ("bin", "lib", f"{_LIBRARY}/encodings", f"{_LIBRARY}/lib-dynload"):
        (tree / directory).mkdir(parents=True)
    python = Path(sys.executable).resolve()
    shutil.copy(python, tree / "bin/python3.11")
    listing = subprocess.run(["ldd", python], check=True, capture_output=True, text=True).stdout
    for library in _SHARED_OBJECT.findall(listing):
        shutil.copy(Path(library).resolve(), tree / "lib" / Path(library).name)


def _compile_modules(tree: Path) -> None:
    (tree / _LIBRARY / "os.py").write_text(_LANDMARK)
    source = Path(__import__("encodings").__file__ or "").parent
    for name in _ENCODINGS:
        py_compile.compile(
            str(source / f"{name}.py"),
            cfile=str(tree / _LIBRARY / "encodings" / f"{name}.pyc"),
            dfile=f"encodings/{name}.py",
            doraise=True,
            optimize=2,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )


def _digest(tree: Path, plugin: Path) -> str:
    digest = hashlib.sha256(plugin.read_bytes())
    for path in sorted(path for path in tree.rglob("*") if path.is_file()):
        digest.update(f"\0{path.relative_to(tree)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:10]


def _set_paths(tree: Path, place: str) -> None:
    binary = tree / "bin/python3.11"
    asked = subprocess.run(
        ["patchelf", "--print-interpreter", binary], check=True, capture_output=True, text=True
    )
    loader = Path(asked.stdout.strip()).name
    # DT_RPATH, which unlike DT_RUNPATH comes before LD_LIBRARY_PATH of whoever starts the runtime.
    command = ["patchelf", "--set-interpreter", f"{place}/lib/{loader}", "--force-rpath", "--set-rpath"]
    subprocess.run([*command, f"{place}/lib", binary], check=True)


def _plugin(output: Path, tree: str) -> Path:
    plugin = output / ".tke-route-eni.new"
    build = [sys.executable, "-I", "-S", str(_HERE / "build.py"), "--output", str(plugin)]
    subprocess.run([*build, "--interpreter", f"{tree}/bin/python3.11"], check=True)
    return plugin


def main() -> None:
    """Read the options, make the tree and print where it is."""
    parser = argparse.ArgumentParser(description="Make the plugin with an interpreter tree of its own.")
    parser.add_argument("--version", required=True, help="goes into the tree's name")
    parser.add_argument("--output", type=Path, required=True, metavar="DIRECTORY")
    options = parser.parse_args()
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+]{0,11}", options.version):
        parser.error(f"--version is {options.version!r}; allowed are up to 12 letters, digits, '.' and '+'")
    options.output.mkdir(parents=True, exist_ok=True)
    print(make_tree(options.version, options.output))


if __name__ == "__main__":
    main()
