"""Lets `from cni_plugin import …` work inside the built file, where the modules are marshalled bytes.

Only in the built file, whose interpreter has no import system (`program.c` runs this); a checkout is
imported as the package that it is. A module is unmarshalled when it is first asked for, so those that are
seldom needed (`huffman`, `pending`) cost nothing.
"""

import marshal
import sys


def start(modules: dict[str, bytes]) -> None:
    """Make the package out of code by module name, and run the plugin; does not return."""
    package = type(sys)("cni_plugin")

    def load(name: str) -> object:
        if name not in modules:
            raise AttributeError(name)
        module = type(sys)(f"cni_plugin.{name}")
        package.__dict__[name] = module
        exec(marshal.loads(modules[name]), module.__dict__)  # noqa: S102, S302 - our own code, from this very file
        return module

    # A module without __path__ hands every unknown name of a from-import to its __getattr__.
    package.__dict__["__getattr__"] = load
    sys.modules["cni_plugin"] = package
    from cni_plugin import main  # noqa: PLC0415 - only now there

    main.main()
