/*
 * The process of the CNI plugin: as much of an interpreter as the plugin's modules need, and these modules.
 *
 * The interpreter is initialised as CPython's own build does it for Programs/_freeze_module.c: its core, without
 * import system, path configuration, standard streams, codecs and signal handlers. So no file is looked for, and
 * no variable of the environment matters, whatever it says. An import finds what was put into sys.modules here, and
 * nothing else. What has to be done by hand instead is below.
 *
 * A process ends by _exit(): nothing of it is freed, because nothing of it is left.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <marshal.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program.h"

#if PY_VERSION_HEX >> 16 != 0x030B
#error "the fields _init_main and _install_importlib are private: read Python/pylifecycle.c of this version first"
#endif

/*
 * Print a CNI error object without an interpreter, and end: with 1, or with 2 when nobody hears it. Whatever comes in
 * is text of CPython's or our own sources without quotes, and is cut to a length at which the object stays whole.
 */
static _Noreturn void fail(const char *what, const char *file, int line)
{
    char object[1024];
    int length = snprintf(object, sizeof object,
        "{\"cniVersion\": \"1.0.0\", \"code\": 999, \"msg\": \"tke-route-eni failed: %.300s in %.200s:%d\", "
        "\"details\": \"report it with this message, unless the node is out of memory\"}\n",
        what, file, line);
    ssize_t written = write(STDOUT_FILENO, object, (size_t)length);
    _exit(written == length ? 1 : 2);
}

/* Print what Python code raised: of what class, in which line. */
static _Noreturn void fail_by_exception(void)
{
    PyObject *class, *value, *traceback;
    const char *file = __FILE_NAME__;
    int line = __LINE__;

    PyErr_Fetch(&class, &value, &traceback);
    for (PyTracebackObject *entry = (PyTracebackObject *)traceback; entry != NULL; entry = entry->tb_next) {
        PyCodeObject *code = PyFrame_GetCode(entry->tb_frame);
        const char *name = PyUnicode_AsUTF8(code->co_filename);
        if (name != NULL) {
            file = name;
            line = PyCode_Addr2Line(code, entry->tb_lasti);
        }
    }
    fail(class != NULL ? PyExceptionClass_Name(class) : "no exception", file, line);
}

/* CPython and the C library abort where they can do nothing else, most likely for want of memory. */
static void report_abort(int signal_number)
{
    static const char object[] =
        "{\"cniVersion\": \"1.0.0\", \"code\": 999, \"msg\": \"tke-route-eni was aborted\", "
        "\"details\": \"what it wrote to standard error says why; most likely the node is out of memory\"}\n";
    (void)signal_number;
    ssize_t written = write(STDOUT_FILENO, object, sizeof object - 1);
    _exit(written == sizeof object - 1 ? 1 : 2);
}

/*
 * Let no file or socket become one of the first three descriptors when the runtime has left them closed. What takes
 * their place can be neither read nor written, so that the plugin notices; and "/" is there in any file system.
 */
static void occupy_standard_descriptors(void)
{
    for (int descriptor = 0; descriptor <= STDERR_FILENO; descriptor++)
        if (fcntl(descriptor, F_GETFD) < 0 && open("/", O_PATH) != descriptor)
            fail("the standard descriptors cannot be opened", __FILE_NAME__, __LINE__);
}

static void initialise_interpreter(void)
{
    PyPreConfig preconfig;
    PyConfig config;
    PyStatus status;

    PyPreConfig_InitIsolatedConfig(&preconfig);
    preconfig.configure_locale = 0;
    preconfig.utf8_mode = 1;
    status = Py_PreInitialize(&preconfig);
    if (PyStatus_Exception(status))
        fail(status.err_msg, __FILE_NAME__, __LINE__);

    PyConfig_InitIsolatedConfig(&config);
    config._install_importlib = 0;
    config._init_main = 0;
    config.install_signal_handlers = 0;
    config.module_search_paths_set = 1;
    config.code_debug_ranges = 0;
    status = Py_InitializeFromConfig(&config);
    if (PyStatus_Exception(status))
        fail(status.err_msg, __FILE_NAME__, __LINE__);
    PyGC_Disable(); /* a process of some milliseconds has no cycles worth a search */
}

/* Put a module that is linked in into sys.modules, as _imp.create_builtin() and exec_builtin() would. */
static int import_linked(const struct _inittab *linked)
{
    PyObject *module = linked->initfunc();

    if (module != NULL && PyObject_TypeCheck(module, &PyModuleDef_Type)) {
        /* PEP 489: this is only the definition. Of the module's spec nothing is read but the name. */
        PyModuleDef *definition = (PyModuleDef *)module;
        PyObject *spec = PyModule_New(linked->name);
        if (spec == NULL || PyModule_AddStringConstant(spec, "name", linked->name) < 0)
            return -1;
        module = PyModule_FromDefAndSpec(definition, spec);
        if (module == NULL || PyModule_ExecDef(module, definition) < 0)
            return -1;
    }
    return module == NULL ? -1 : PyDict_SetItemString(PyImport_GetModuleDict(), linked->name, module);
}

/* Run the module `loader` and its function start(), which does not return, with the code of all the modules. */
static void run_loader(void)
{
    PyObject *modules, *loader, *globals, *start;

    modules = PyMarshal_ReadObjectFromString((const char *)plugin_code, (Py_ssize_t)plugin_code_size);
    if (modules == NULL || (loader = PyDict_GetItemString(modules, "loader")) == NULL)
        return;
    loader = PyMarshal_ReadObjectFromString(PyBytes_AS_STRING(loader), PyBytes_GET_SIZE(loader));
    globals = PyDict_New();
    if (loader == NULL || globals == NULL
        || PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins()) < 0
        || PyEval_EvalCode(loader, globals, globals) == NULL
        || (start = PyDict_GetItemString(globals, "start")) == NULL)
        return;
    PyObject_CallOneArg(start, modules);
}

int main(void)
{
    occupy_standard_descriptors();
    /* Else the first write to an agent that has gone away, or beyond a limit of size, would end the process. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGABRT, report_abort);
    /* Else the module `time` would have the C library read the file that TZ names, or /etc/localtime. */
    setenv("TZ", ":", 1);
    initialise_interpreter();
    for (const struct _inittab *linked = linked_modules; linked->name != NULL; linked++)
        if (import_linked(linked) < 0)
            fail_by_exception();
    run_loader();
    fail_by_exception();
}
