/*
 * What is linked in of CPython's modules: those that the plugin imports.
 *
 * The definitions of the second half are found before the members config.o, frozen.o and deepfreeze.o of
 * libpython3.11.a, and keep these out: with them come 50 extension modules and 900 KB of frozen ones, whose
 * strings are interned at every start though none of them is used.
 */
#define Py_BUILD_CORE
#include "program.h"

#include <internal/pycore_import.h>
#include <internal/pycore_pylifecycle.h>

extern PyObject *PyInit_posix(void);
extern PyObject *PyInit_time(void);
extern PyObject *PyInit__socket(void);
extern PyObject *PyInit_fcntl(void);
extern PyObject *PyInit__sha256(void);
extern PyObject *PyMarshal_Init(void);

const struct _inittab linked_modules[] = {
    {"posix", PyInit_posix},
    {"time", PyInit_time},
    {"_socket", PyInit__socket},
    {"fcntl", PyInit_fcntl},
    {"_sha256", PyInit__sha256},
    {"marshal", PyMarshal_Init},
    {NULL, NULL},
};

struct _inittab _PyImport_Inittab[] = {{NULL, NULL}};

static const struct _frozen no_frozen_modules[] = {{NULL, NULL, 0, 0, NULL}};

const struct _frozen *_PyImport_FrozenBootstrap = no_frozen_modules;
const struct _frozen *_PyImport_FrozenStdlib = no_frozen_modules;
const struct _frozen *_PyImport_FrozenTest = no_frozen_modules;
const struct _frozen *PyImport_FrozenModules = no_frozen_modules;

static const struct _module_alias no_aliases[] = {{NULL, NULL}};

const struct _module_alias *_PyImport_FrozenAliases = no_aliases;

/* Programs/_freeze_module.c of CPython has the same two. */
int _Py_Deepfreeze_Init(void)
{
    return 0;
}

void _Py_Deepfreeze_Fini(void)
{
}
