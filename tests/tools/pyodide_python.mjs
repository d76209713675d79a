// CPython as WebAssembly, started like `python`: node pyodide_python.mjs FOLDER [options] (-c CODE | -m MODULE | FILE) ...
// Other options than -W are accepted and ignored (nothing but the standard library is installed there). No child processes.
import { readSync, writeSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, ...words] = process.argv.slice(2);
const require = createRequire(import.meta.url);
globalThis.require = require; // old versions look for it
const { loadPyodide } = require(join(folder, "pyodide.js"));

const pieces = [];
function standardInput() {
  if (pieces.length === 0) {
    const whole = [];
    const buffer = Buffer.alloc(65536);
    for (;;) {
      let count = 0;
      try {
        count = readSync(0, buffer);
      } catch (error) {
        if (error.code !== "EOF" && error.code !== "EAGAIN") throw error;
      }
      if (count === 0) break;
      whole.push(Buffer.from(buffer.subarray(0, count)));
    }
    pieces.push(Buffer.concat(whole));
  }
  return new Uint8Array(pieces[0]);
}

const python = await loadPyodide({ indexURL: folder + "/", stdout: () => {}, stderr: () => {} });
// Every folder of this machine that WebAssembly's own file system does not have.
for (const name of readdirSync("/")) {
  if (["dev", "proc", "lib", "home"].includes(name)) continue;
  try {
    python.FS.mkdirTree("/" + name);
    python.FS.mount(python.FS.filesystems.NODEFS, { root: "/" + name }, "/" + name);
  } catch {
    // not a folder, or not ours to see
  }
}
const out = (descriptor) => (bytes) => writeSync(descriptor, bytes.toJs ? bytes.toJs() : bytes);
python.globals.set("_host", {
  words, cwd: process.cwd(), input: standardInput, out: out(1), err: out(2), environment: { ...process.env },
});
const code = python.runPython(`
import io, os, sys
class Written(io.RawIOBase):
    def __init__(self, write):
        self.to = write
    def writable(self):
        return True
    def write(self, data):
        self.to(bytes(data))
        return len(data)
class Read(io.RawIOBase):
    data = None
    def readable(self):
        return True
    def readinto(self, into):
        if self.data is None:
            self.data = io.BytesIO(_host.input().to_bytes())
        return self.data.readinto(into)
def streams():
    sys.stdin = io.TextIOWrapper(io.BufferedReader(Read()), 'utf-8')
    for name, write in (('stdout', _host.out), ('stderr', _host.err)):
        setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(Written(write)), 'utf-8', write_through=name == 'stderr'))
def main(words):
    import runpy, traceback
    streams()
    # a module run by name finds what PYTHONPATH names
    sys.path[:0] = [one for one in _host.environment.to_py().get('PYTHONPATH', '').split(':') if one]
    while words and words[0].startswith('-') and words[0] not in ('-c', '-m', '-'):
        if words[0] == '-W':
            import warnings
            warnings.simplefilter(words[1])
        words = words[2 if words[0] in ('-X', '-W') else 1:]
    try:
        if words[0] == '-c':
            sys.argv = ['-c', *words[2:]]
            exec(compile(words[1], '<string>', 'exec'), {'__name__': '__main__'})
        elif words[0] == '-m':
            sys.argv = words[1:]
            runpy.run_module(words[1], run_name='__main__', alter_sys=True)
        else:
            sys.argv = words[:]
            runpy.run_path(words[0], run_name='__main__')
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        if not isinstance(stop.code, (int, type(None))):
            print(stop.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code
os.chdir(_host.cwd)
main(list(_host.words))
`);
process.exit(code);
