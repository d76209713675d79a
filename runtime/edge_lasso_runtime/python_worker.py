"""The program that runs a Python artifact in an interpreter of its own, CPython or MicroPython."""

from . import step_session

# Runs on CPython and MicroPython alike: `ns` is the artifact's namespace, a result is a list of numbers.
WORKER = """
import sys, struct, binascii
def flat(y):
    return list(y) if isinstance(y, (list, tuple)) else [y]
def fixed(ns, x):
    return [ns['decode'](v, i) for i, v in enumerate(flat(ns['predict'](ns['encode'](x)[0])))]
def label(ns, x):
    return [ns['CLASSES'].index(ns['label'](ns['encode'](x)[0] if 'encode' in ns else x))]
def counts(ns, x):
    q, status = ns['encode_counts']([int(v) if v == v else None for v in x])
    return q + [0 if status == 'ok' else 1]
def row(ns, x):
    known = ns.get('CATEGORIES', {})
    reading = {}
    for name, value in zip(ns['FEATURES'], x):
        if value == value:
            if name in known:
                value = known[name][int(value)] if 0 <= value < len(known[name]) and value == int(value) else '?'
            reading[name] = value
    return ns['predict_row'](reading)
OPS = {
    'linear': lambda ns, x: flat(ns['linear'](x)),
    'predict': lambda ns, x: flat(ns['predict'](x)),
    'fixed': fixed,
    'encode': lambda ns, x: flat(ns['encode'](x)[0]),
    'predict_q': lambda ns, x: flat(ns['predict']([int(v) for v in x])),
    'row': lambda ns, x: flat(row(ns, x)[0]),
    'counts': counts,
    'label': label,
    'verdict': lambda ns, x: [ns['verdict'](int(x[0]) if 'encode' in ns else x[0])],
    'probability': lambda ns, x: [ns['probability'](int(x[0]))],
    'degraded': lambda ns, x: [0 if row(ns, x)[1] in ('ok', 0) else 1],
}
{step}
def emit(ns, ops, width, count, data):
    for i in range(count):
        x = list(struct.unpack('<%dd' % width, data[8 * width * i:8 * width * (i + 1)]))
        for op in ops.split(','):
            y = OPS[op](ns, x)
            print(':' + binascii.hexlify(struct.pack('<%dd' % len(y), *y)).decode())
# Literals that MicroPython before 1.26 reads an ulp off, and the binary64 they stand for.
DECIMALS = (
    (96.14779889500835, '881c7f8975095840'), (9.458001850421839e-06, '617552e0b9d5e33e'),
    (0.09180871855333123, '149aacb3c680b73f'), (-98.66991087842673, 'f584e0d1dfaa58c0'),
)
def about(ns):
    eps = 1.0
    while 1.0 + eps / 2.0 != 1.0:
        eps = eps / 2.0
    name = sys.implementation.name
    version = '.'.join([str(v) for v in sys.implementation.version[:3]])
    has = [op for op in ('predict_row', 'label', 'probability', 'encode_counts', 'verdict') if op in ns]
    exact = all([struct.pack('<d', value) == binascii.unhexlify(text) for value, text in DECIMALS])
    passed = 'selftest' not in ns or ns['selftest']() in (None, True)
    print(name, version, eps, ns['MODEL_HASH'], int(exact), int(passed), ','.join(has))
def load(source):
    ns = {'__name__': 'artifact'}
    exec(source, ns)
    return ns
""".replace("{step}", step_session.WORKER)

CPYTHON_MAIN = """
with open(sys.argv[1], encoding='utf-8') as file:
    ns = load(compile(file.read(), sys.argv[1], 'exec'))
ops, width, count = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
if ops == 'about':
    about(ns)
else:
    emit(ns, ops, width, count, sys.stdin.buffer.read())
"""
