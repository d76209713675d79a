"""Runs commands in forks of a process that has imported everything: started by the tests, told one job a line.

A job: ``{"argv", "program", "traced", "limit"}``; answered with the process id, then with the exit status and what the
command said. A traced fork waits for a further line, so that strace can be attached before it begins.
"""

import ctypes
import importlib
import json
import os
import pkgutil
import resource
import sys

PR_SET_PTRACER, ANY = 0x59616D61, ctypes.c_ulong(-1)


def main():
    for package in ("edge_lasso", "edge_lasso_exporters", "edge_lasso_runtime", "edge_lasso_devices"):
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not module.name.endswith(("__main__", "cluster", "onnx_methods", "skl2onnx_converter", "_session")):
                importlib.import_module(module.name)
    print("ready", flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        go, told, say, said = *os.pipe(), *os.pipe()
        child = os.fork()
        if not child:
            run(job, go, said)
        os.close(said)
        print(child, flush=True)
        if job["traced"]:
            sys.stdin.readline()
        os.write(told, b".")
        with os.fdopen(say) as errors:
            text = errors.read()
        print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text]), flush=True)
        os.close(go)
        os.close(told)


def run(job, go, said):
    """Run one command and leave; what it prints is lost, what it complains about goes to `said`."""
    if job["program"] == "edge-lasso":
        from edge_lasso.commands.main import main as program
    else:
        from edge_lasso_runtime.__main__ import main as program
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number, descriptor in ((0, nowhere), (1, nowhere), (2, said)):
        os.dup2(descriptor, number)
    os.close(said)
    code = 99
    try:
        if job["traced"]:
            ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANY, 0, 0, 0)
        os.read(go, 1)
        if job["limit"] is not None:  # files longer than this get short writes, then EFBIG, as a full disk would give
            resource.setrlimit(resource.RLIMIT_FSIZE, (job["limit"], job["limit"]))
        code = program(job["argv"])
        sys.stdout.flush()
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
