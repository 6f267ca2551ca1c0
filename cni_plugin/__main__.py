"""`python3.11 -m cni_plugin`: the plugin out of a checkout, by a whole interpreter, for looking into it."""

from cni_plugin.main import main

main()
