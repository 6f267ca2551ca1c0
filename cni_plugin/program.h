/* What the files that are linked into the plugin know of each other. */
#ifndef TKE_ENI_PROGRAM_H
#define TKE_ENI_PROGRAM_H

#include <Python.h>

#include <stddef.h>

/* The extension modules of the plugin; a name of NULL ends them. */
extern const struct _inittab linked_modules[];

/* A marshalled dictionary, from names of modules to their marshalled code; the file is written by build.py. */
extern const unsigned char plugin_code[];
extern const size_t plugin_code_size;

#endif
